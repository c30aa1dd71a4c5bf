"""Prometheus Alertmanager's webhook, version 4, and Grafana's, which has the same shape.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

Both drop a whole group of alerts where one is refused. So every alert is made to fit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats import fitting
from notifier.intake.formats.posted import Posted
from notifier.intake.formats.severity import level_of
from notifier.intake.reports import Report
from notifier.intake.schema import parse_event

log = logging.getLogger(__name__)

_FIRST_TAGS = ("alertname", "severity", "instance", "job")
"""What is kept where an alert has more labels than an event may have tags."""
_DESCRIBING = ("summary", "description", "message")
_OF_GROUP = ("receiver", "groupKey", "externalURL", "title", "orgId")
_OF_ALERT = ("annotations", "values", "silenceURL", "dashboardURL", "panelURL", "generatorURL")
_LINKS = ("panelURL", "dashboardURL", "generatorURL")


def matches(_posted: Posted, raw: Any) -> bool:
    """Say whether this is a group of alerts."""
    return (
        isinstance(raw, Mapping)
        and isinstance(raw.get("alerts"), list)
        and ("groupKey" in raw or "receiver" in raw)
    )


def matches_grafana(posted: Posted, raw: Any) -> bool:
    """Say whether this is a group of alerts, and Grafana's."""
    return matches(posted, raw) and ("orgId" in raw or raw.get("version") == "1")


def read(posted: Posted) -> list[Report]:
    """Return a report for each alert of a group."""
    group = posted.raw  # of any depth: what is too deep is cut
    alerts = group.get("alerts") if isinstance(group, Mapping) else None
    if not isinstance(alerts, list):
        raise InvalidEvent([Problem("alerts", "required: the list of alerts of Alertmanager")])
    if truncated := group.get("truncatedAlerts"):
        log.warning(
            "source %s left %s alerts out of a group: set no max_alerts in its webhook_config",
            posted.source.pk,
            fitting.text(truncated, 20),
        )
    shared = {name: fitting.text(group[name], 1000) for name in _OF_GROUP if name in group}
    status = group.get("status")
    return [_report(alert, status, shared, posted) for alert in alerts]


def _report(alert: Any, status: object, group: Mapping[str, str], posted: Posted) -> Report:
    if not isinstance(alert, Mapping):
        alert = {"annotations": {"summary": "An alert that is no object", "alert": alert}}
    labels = alert.get("labels")
    labels = labels if isinstance(labels, Mapping) else {}
    resolved = (alert.get("status") or status) == "resolved"
    # older ones send no fingerprint: it is one of the labels
    key = fitting.name(alert.get("fingerprint")) or fitting.digest(
        json.dumps(fitting.metadata(labels), sort_keys=True)
    )
    starts = fitting.moment(alert.get("startsAt"))
    tags = _tags(labels, posted.limits.tags)
    event = {
        "type": "END" if resolved else "STA",
        "level": level_of(labels.get("severity"), posted.source.default_level),
        "description": _description(alert, labels),
        "tags": tags,
        "incident_key": key,
        "source_event_id": fitting.name(
            f"{key} {'resolved' if resolved else 'firing'} {starts.isoformat() if starts else '-'}"
        ),
        "timestamp": fitting.moment(alert.get("endsAt")) if resolved else starts,
        "expires": None if resolved else fitting.expiry(alert.get("endsAt")),
        "details_url": next(filter(None, (fitting.url(alert.get(each)) for each in _LINKS)), ""),
        "metadata": fitting.metadata(
            {
                **group,
                **{name: alert.get(name) for name in _OF_ALERT},
                "labels": {} if _are_whole(tags, labels) else labels,
            },
            posted.limits.depth,
        ),
    }
    return Report(parse_event(event), recurs=True)


def _tags(labels: Mapping[str, Any], most: int) -> list[str]:
    first = [(name, labels[name]) for name in _FIRST_TAGS if name in labels]
    return fitting.tags([*first, *labels.items()], most)


def _are_whole(tags: list[str], labels: Mapping[str, Any]) -> bool:
    """Say whether tags tell all that the labels do."""
    texts = all(isinstance(value, str) for value in labels.values())
    return texts and set(tags) == {f"{name}={value}" for name, value in labels.items()}


def _description(alert: Mapping[str, Any], labels: Mapping[str, Any]) -> str:
    annotations = alert.get("annotations")
    if isinstance(annotations, Mapping):
        for name in _DESCRIBING:
            if said := fitting.text(annotations.get(name)):
                return said
    named = (fitting.text(labels.get(name), 1000) for name in ("alertname", "instance"))
    return " on ".join(filter(None, named)) or "An alert without a name"
