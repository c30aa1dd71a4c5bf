"""Signs of life of sources: one that falls silent has an incident of its own, until it is back.

A source with a `heartbeat_interval` is silent once that and a grace have passed since its last sign
of life. Every request over HTTP with its token is one. Times are compared as the database has
them, so that no machine's clock accuses anybody.

`models.Heartbeat` is something else: a sign of life of Notifier itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from notifier import conf
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Heartbeat, Incident, Source
from notifier.models.event import Level

INCIDENT_KEY = "notifier:heartbeat"
TAGS = ("problem_type=missing_heartbeat",)
"""As Argus has it."""

LOOKED = "looking for silent sources"
LONGEST_BREAK_S = 10.0
"""After a longer one of ours sources have their whole interval again."""
UNWRITTEN_SHARE = 10
"""A request is not written down within this part of the interval since the last sign of life."""

_COLUMNS = ("name", "heartbeat_interval", "last_heartbeat", "heartbeat_since", "silent_since")


def beat(source: Source) -> None:
    """Note a sign of life."""
    Source.objects.filter(pk=source.pk).update(last_heartbeat=Now())


def overhear(source: Source) -> None:
    """Take a request for a sign of life, where one is expected; few are written down."""
    if source.heartbeat_interval is None:
        return
    last, enough_s = source.last_heartbeat, source.heartbeat_interval / UNWRITTEN_SHARE
    if last is None or abs((timezone.now() - last).total_seconds()) >= enough_s:
        beat(source)


def watch() -> dict[str, int]:
    """Tell of sources that fell silent and of those that are back; return counts.

    Each once, however many look at the same time: a source's row is locked, and says what was told.
    """
    counts = {"silent": 0, "back": 0}
    asked = Q(heartbeat_interval__isnull=False) | Q(heartbeat_since__isnull=False)
    if watched := list(_rows().filter(asked).only(*_COLUMNS)):
        _begin(watched)
        for source in watched:
            if told := _is_news(source) and _tell(source.pk):
                counts[told] += 1
        Heartbeat.objects.update_or_create(name=LOOKED, defaults={"at": Now()})
    return counts


def _rows() -> QuerySet[Source]:
    return Source.objects.annotate(now=Now())


def _now(source: Source) -> dt.datetime:
    moment: dt.datetime = source.now  # type: ignore[attr-defined] # annotated
    return moment


def _longest_break_s() -> float:
    return max(LONGEST_BREAK_S, 10 * conf.SWEEP_INTERVAL_S())


def _begin(watched: Sequence[Source]) -> None:
    """Let the interval begin now: for a source that is newly watched, and after our break for all."""
    looked = Heartbeat.objects.filter(name=LOOKED).first()
    broke_off = not looked or (_now(watched[0]) - looked.at).total_seconds() > _longest_break_s()
    begin, end = [], []
    for source in watched:
        if source.silent_since is None and source.heartbeat_interval is None:
            end.append(source.pk)
        elif source.silent_since is None and (broke_off or source.heartbeat_since is None):
            begin.append(source.pk)
            source.heartbeat_since = _now(source)
    if begin:
        Source.objects.filter(pk__in=begin, silent_since=None).update(heartbeat_since=Now())
    if end:
        Source.objects.filter(pk__in=end, silent_since=None).update(heartbeat_since=None)


def _is_silent(source: Source) -> bool:
    if source.heartbeat_interval is None or source.heartbeat_since is None:
        return False
    heard = max(source.heartbeat_since, source.last_heartbeat or source.heartbeat_since)
    # late by what need not be written down, or by a break of ours that goes unnoticed
    grace_s = max(_longest_break_s(), source.heartbeat_interval / UNWRITTEN_SHARE)
    return (_now(source) - heard).total_seconds() > source.heartbeat_interval + grace_s


def _is_news(source: Source) -> bool:
    return _is_silent(source) != (source.silent_since is not None)


@transaction.atomic
def _tell(pk: int) -> str:
    """Tell that a source fell silent or is back; return which, or nothing where it was told."""
    # No key: who stores an event of this source meanwhile need not wait.
    source = _rows().select_for_update(no_key=True).filter(pk=pk).first()
    if source is None or not _is_news(source):
        return ""
    if source.silent_since is None:
        _post(source, "STA", _silence(source))
        Source.objects.filter(pk=pk).update(silent_since=Now())
        return "silent"
    if Incident.objects.filter(source=source, incident_key=INCIDENT_KEY, open=True).exists():
        _post(source, "END", _return(source))
    Source.objects.filter(pk=pk).update(silent_since=None)
    return "back"


def _post(source: Source, kind: str, description: str) -> None:
    event = {
        "type": kind,
        "incident_key": INCIDENT_KEY,
        "level": Level.HIGH.value,
        "description": description,
        "tags": list(TAGS),
        "timestamp": _now(source),  # the same clock for start and end: none is late
    }
    accept([parse_event(event)], source)


def _silence(source: Source) -> str:
    last = "it has given no sign of life yet"
    if source.last_heartbeat:
        ago_s = (_now(source) - source.last_heartbeat).total_seconds()
        last = f"its last sign of life was {ago_s:.0f} s ago"
    return f"Source {source} is silent: {last}, and one is due every {source.heartbeat_interval} s"


def _return(source: Source) -> str:
    if (
        source.last_heartbeat
        and source.silent_since
        and source.last_heartbeat > source.silent_since
    ):
        return f"Source {source} is back"
    return f"Source {source} is no longer expected to have given a sign of life"
