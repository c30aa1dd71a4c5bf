"""The filters that Argus's lists of incidents know."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable

from django.db.models import Exists, F, OuterRef, Q
from django.http import QueryDict
from django.utils import timezone

from notifier.api.argus import reading
from notifier.api.argus.answering import Refused, wrong
from notifier.models import Event
from notifier.visibility import Holds

_STATELESS = Q(open=False, end_time=None)
_CLOSED = Q(end_time__isnull=False)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in _BOOLEANS:
        raise wrong(name, "Write true or false.")
    return _BOOLEANS[value.lower()]


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise wrong(name, "Write a whole number.")
    return int(value)


def _moment(name: str, value: str) -> dt.datetime:
    return reading.moment({name: value}, name) or timezone.now()


def _either(when: Q) -> Callable[[str, str], Q]:
    """Return the filter of those for which something holds (true) or does not (false)."""
    return lambda name, value: when if _boolean(name, value) else ~when


def _compared(lookup: str) -> Callable[[str, str], Q]:
    return lambda name, value: Q(**{lookup: _moment(name, value)})


def _ids(lookup: str) -> Callable[[str, str], Q]:
    def of(name: str, value: str) -> Q:
        if not re.fullmatch(r"\d{1,18}(,\d{1,18})*", value, re.ASCII):
            raise wrong(name, "Write ids with commas, such as 4,7.")
        return Q(**{lookup: [int(each) for each in value.split(",")]})

    return of


def _names(lookup: str) -> Callable[[str, str], Q]:
    return lambda _name, value: Q(**{lookup: value.split(",")})


def _lasted(name: str, value: str) -> Q:
    least = dt.timedelta(minutes=_number(name, value))
    return Q(open=True, start_time__lte=timezone.now() - least) | Q(
        open=False, end_time__gte=F("start_time") + least
    )


def _tagged(name: str, value: str) -> Q:
    """Return the filter by tags: for each key one of its values."""
    values: dict[str, list[str]] = defaultdict(list)
    for tag in value.split(","):
        if "=" not in tag:
            raise wrong(name, "Write key=value, several with commas.")
        values[tag.partition("=")[0]].append(tag)
    found = Q()
    for tags in values.values():
        holding = Q()
        for tag in tags:
            holding |= Q(Holds("tags", tag))
        found &= Q(Exists(Event.objects.filter(holding, pk=OuterRef("described_by"))))
    return found


_FILTERS: dict[str, Callable[[str, str], Q]] = {
    "acked": _either(Q(acked=True)),
    "duration__gte": _lasted,
    "end_time__gte": lambda name, value: Q(open=True) | Q(end_time__gte=_moment(name, value)),
    "end_time__isnull": _either(_STATELESS),
    "end_time__lte": _compared("end_time__lte"),
    "hide_closed_acked": lambda name, value: (
        ~(_CLOSED & Q(acked=True)) if _boolean(name, value) else Q()
    ),
    "id__in": _ids("pk__in"),
    "level__lte": lambda name, value: Q(level__lte=_number(name, value)),
    "open": lambda name, value: Q(open=True) if _boolean(name, value) else _CLOSED,
    "search": lambda _name, value: Q(description__icontains=value),
    "source__id__in": _ids("source__in"),
    "source__name__in": _names("source__name__in"),
    "source__type__in": _names("source__type__in"),
    "source_incident_id": lambda _name, value: Q(incident_key=value),
    "start_time__gte": _compared("start_time__gte"),
    "start_time__lte": _compared("start_time__lte"),
    "stateful": _either(~_STATELESS),
    "tags": _tagged,
    "ticket": _either(~Q(ticket_url="")),
}
OTHERS = ("cursor", "page_size")
"""Parameters that are no filters."""


def asked_for(parameters: QueryDict) -> Q:
    """Return the condition that a list's parameters ask for; refuse those that are unknown.

    An unknown one would else return what was not asked for, and somebody may close it.
    """
    if unknown := sorted(set(parameters) - {*_FILTERS, *OTHERS, "format"}):
        known = f"There is no such filter here; known are {', '.join(_FILTERS)}."
        raise Refused(400, {name[:80]: [known] for name in unknown[:10]})
    found = Q()
    for name, ask in _FILTERS.items():
        # an empty one asks nothing; several are one with commas
        if value := ",".join(filter(None, parameters.getlist(name))):
            if "\0" in value:
                raise wrong(name, "Holds a NUL character; remove it.")
            found &= ask(name, value)
    return found
