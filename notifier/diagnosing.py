"""Is anything stuck? What `notifier doctor` looks at, on a live system."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from django.db import DatabaseError
from django.db.models import Count, Q
from django.utils import timezone

from notifier import conf
from notifier.delivering import waiting
from notifier.delivering.sweeping import HEARTBEAT
from notifier.intake.overload import look as look_at_backlog
from notifier.matching.triggers import missing_triggers
from notifier.media.registry import all_media
from notifier.models import Delivery, Event, Gate, Heartbeat, QuarantinedEvent
from notifier.queueing import get_queue

SWEEPS_MISSED = 10
CANARIES_MISSED = 3
"""So many, and one task of the longest kind, may be missing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, and a sentence."""

    subject: str
    well: bool
    sentence: str

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def diagnose() -> list[Finding]:
    """Look at everything; what can't be looked at is not well."""
    findings: list[Finding] = []
    for look in (
        _sweep,
        _triggers,
        _events,
        _deliveries,
        _backlog,
        _claims,
        _gates,
        _strangers,
        _quarantine,
        _queues,
    ):
        try:
            findings += look()
        except DatabaseError as error:
            sentence = f"does not answer ({type(error).__name__}); see DATABASE_URL"
            return [Finding("database", well=False, sentence=sentence)]
        except ConnectionError as error:
            findings.append(Finding("redis", well=False, sentence=f"{error}; see REDIS_URL"))
    return findings


def _sweep() -> Iterator[Finding]:
    beat = Heartbeat.objects.filter(name=HEARTBEAT).first()
    if beat is None:
        yield Finding(
            "sweep", well=False, sentence="never ran; start beat and a worker of queue maintenance"
        )
        return
    age_s = (timezone.now() - beat.at).total_seconds()
    well = age_s < max(SWEEPS_MISSED * conf.SWEEP_INTERVAL_S(), SWEEPS_MISSED)
    hint = "" if well else "; is beat running, and a worker of queue maintenance?"
    yield Finding("sweep", well, f"last ran {age_s:.1f} s ago{hint}")


def _triggers() -> Iterator[Finding]:
    missing = missing_triggers()
    sentence = "every change of a profile is seen"
    if missing:
        sentence = f"changes of {', '.join(missing)} go unseen; run `notifier migrate`"
    yield Finding("triggers", not missing, sentence)


def _events() -> Iterator[Finding]:
    yield _waiting("events", waiting.events(), "waiting to be dispatched")


def _deliveries() -> Iterator[Finding]:
    for slug in all_media():
        yield _waiting(f"deliveries by {slug}", waiting.deliveries(slug), "due")


def _waiting(subject: str, found: waiting.Waiting, what: str) -> Finding:
    if not found.oldest:
        return Finding(subject, well=True, sentence=f"none {what}")
    sentence = f"{found.count} {what}, the oldest for {found.age_s:.0f} s"
    return Finding(subject, found.age_s < conf.OVERDUE_S(), sentence)


def _backlog() -> Iterator[Finding]:
    backlog = look_at_backlog()
    yield Finding("backlog", not backlog.too_long, str(backlog))


def _claims() -> Iterator[Finding]:
    ended = timezone.now() - dt.timedelta(seconds=conf.OVERDUE_S())
    stuck = Delivery.objects.filter(state=Delivery.State.SENDING, lease_until__lt=ended).count()
    sentence = "none has outlived its lease"
    if stuck:
        sentence = f"{stuck} outlived their lease; does the sweep run?"
    yield Finding("claims", not stuck, sentence)


def _gates() -> Iterator[Finding]:
    """Say what is held back: a medium as a whole is worth a look, a webhook's dead host is not."""
    closed = Gate.objects.filter(Q(paused=True) | Q(trips__gt=0), destination=None)
    pending = Delivery.objects.filter(state=Delivery.State.PENDING)
    for gate in closed.filter(host=""):
        why = "an operator" if gate.paused else f"its breaker ({gate.reason})"
        waiting = pending.filter(medium=gate.medium).count()
        sentence = f"{waiting} wait, held back by {why}; open it by `notifier resume {gate.medium}`"
        yield Finding(f"gate of {gate}", well=False, sentence=sentence)
    hosts = closed.exclude(host="")
    waiting = pending.filter(host__in=hosts.values("host")).count()
    sentence = f"{len(hosts)} are left alone, {waiting} deliveries wait for them"
    yield Finding("hosts", well=True, sentence=sentence)


def _strangers() -> Iterator[Finding]:
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING).exclude(medium__in=all_media())
    for medium, count in waiting.values_list("medium").annotate(Count("pk")).order_by("medium"):
        sentence = f"{count} wait for a medium that {conf.MEDIA_PLUGINS.name} lacks"
        yield Finding(f"deliveries by {medium}", well=False, sentence=sentence)


def _quarantine() -> Iterator[Finding]:
    count = QuarantinedEvent.objects.filter(resolved_at=None).count()
    sentence = f"{count} refused events wait to be looked at in the admin" if count else "empty"
    yield Finding("quarantine", not count, sentence)
    unmatched = Event.objects.filter(state=Event.State.QUARANTINED).count()
    if unmatched:
        sentence = f"{unmatched} accepted events could not be matched; see the log, and the admin"
        yield Finding("unmatched events", well=False, sentence=sentence)


def _queues() -> Iterator[Finding]:
    queue = get_queue()
    lengths, consumers = queue.lengths(), queue.consumers()
    for name, length in lengths.items():
        workers = consumers.get(name, 0)
        hint = "" if workers else f"; start one: celery -A worker.app worker -Q {name}"
        canary_is_well, canary = _canary(name)
        yield Finding(
            f"queue {name}",
            bool(workers) and canary_is_well,
            f"{length} messages, {workers} workers{canary}{hint}",
        )


def _canary(queue: str) -> tuple[bool, str]:
    """Say whether messages come through a queue; the first canary has time until it comes."""
    beat = Heartbeat.objects.filter(name=conf.canary_name(queue)).first()
    if beat is None:
        return True, ""
    age_s = (timezone.now() - beat.at).total_seconds()
    limit_s = CANARIES_MISSED * conf.CANARY_INTERVAL_S() + conf.HARD_TIME_LIMIT_S()
    return age_s < limit_s, f", one taken {age_s:.0f} s ago"
