"""Which formats there are, and which one a request is of."""

from __future__ import annotations

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats import (
    alertmanager,
    cloudevents,
    mapped,
    own,
    pagerduty,
    standard_webhooks,
)
from notifier.intake.formats.posted import Format, Posted

# In the order in which they are tried. A source's mapping comes before our own format, which
# anything with a `description` may look like; what names itself comes before both.
_ALL = (
    Format("cloudevents", "CloudEvents 1.0", cloudevents.matches, cloudevents.read),
    Format(
        "grafana",
        "Grafana",
        alertmanager.matches_grafana,
        alertmanager.read,
        drops_refused=True,
    ),
    Format(
        "alertmanager",
        "Prometheus Alertmanager",
        alertmanager.matches,
        alertmanager.read,
        drops_refused=True,
    ),
    Format("pagerduty", "PagerDuty Events v2", pagerduty.matches, pagerduty.read),
    Format("mapped", "JSON of the source's own", mapped.matches, mapped.read),
    Format("notifier", "Notifier's own JSON", own.matches, own.read),
    Format(
        "standard-webhooks",
        "Standard Webhooks",
        standard_webhooks.matches,
        standard_webhooks.read,
    ),
)
FORMATS = {each.slug: each for each in _ALL}


def detect(posted: Posted) -> Format:
    """Return the format of a request; raise `InvalidEvent` where it is of none."""
    try:
        raw = posted.raw
    except InvalidEvent:
        if "ce-specversion" in posted.headers:  # whose data need not be JSON
            return FORMATS["cloudevents"]
        raise
    for each in _ALL:
        if each.matches(posted, raw):
            return each
    known = ", ".join(f"{each.slug} ({each.title})" for each in _ALL)
    raise InvalidEvent(
        [
            Problem(
                "body",
                f"of no format that is known here: {known}. For JSON of another kind, write a mapping "
                "on the source",
            )
        ]
    )
