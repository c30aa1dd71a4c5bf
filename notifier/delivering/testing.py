"""A test message to one destination: by the path that every message takes, and told stage by stage."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from notifier import conf
from notifier.delivering.dispatching import delivery_of
from notifier.errors import Reason, TooManyTests
from notifier.ids import new_event_id
from notifier.limits import Rate
from notifier.matching.destinations import told_by
from notifier.media.registry import get_medium
from notifier.models import Attempt, Delivery, DestinationConfig, Event, Source
from notifier.models.event import Level
from notifier.models.person import lock_owner
from notifier.queueing import get_queue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OCCASION = "test"
KEPT_TRYING = dt.timedelta(hours=1)
"""Nobody waits longer for a test."""

_ENDINGS = {
    Attempt.Outcome.SENT: "sent",
    Attempt.Outcome.TEMPORARY: "deferred",
    Attempt.Outcome.PERMANENT: "failed",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a test has come.

    `accepted`, `queued`, `claimed`, then `sent`, `failed` or `cancelled`; or `deferred`, to be claimed
    again at `again_at`. `answer` is the other side's.
    """

    name: str
    at: dt.datetime
    reason: Reason | None = None
    answer: str = ""
    again_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A test on its way; `note` is what its asker should know of the destination, or empty."""

    delivery_id: int
    note: str = ""

    def stages(self) -> list[Stage]:
        """Return the stages until now; the last of an ended test is its outcome."""
        row, tries = self._read()
        found = [Stage("accepted", row.event.received), Stage("queued", row.created)]
        for each in tries:
            found += [Stage("claimed", each.started_at), _ending(each)]
        if row.state == Delivery.State.PENDING and found[-1].name == "deferred":
            found[-1] = replace(found[-1], again_at=row.due_at)
        elif row.lease_until:
            found.append(Stage("claimed", row.lease_until - dt.timedelta(seconds=conf.LEASE_S())))
        elif row.finished_at and found[-1].name != row.state:
            found.append(Stage(row.state, row.finished_at, _reason(row.reason)))
        return found

    def _read(self) -> tuple[Delivery, list[Attempt]]:
        """Return the delivery and its tries as they were at one moment."""
        rows = Delivery.objects.select_related("event")
        row = rows.get(pk=self.delivery_id)
        while True:
            tries = list(row.tries.all())
            before, row = row, rows.get(pk=self.delivery_id)
            # here and not in a query: SQLite compares times as they were written
            if _moment(before) == _moment(row):
                return row, tries

    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return Delivery.objects.filter(pk=self.delivery_id, finished_at__isnull=False).exists()


def _ending(each: Attempt) -> Stage:
    ended_at = each.started_at + dt.timedelta(milliseconds=each.duration_ms)
    name = _ENDINGS[Attempt.Outcome(each.outcome)]
    return Stage(name, ended_at, _reason(each.reason), each.answer)


def _reason(recorded: str) -> Reason | None:
    return Reason(recorded) if recorded else None


@transaction.atomic
def send_test(destination: DestinationConfig, *, by: User | None = None) -> Trial:
    """Send a test to a destination, disabled or not; return what it can be followed by.

    It is of the lowest urgency and no profile's business. `by` is who asked, None an operator;
    whether they may is the caller's decision. Raises `TooManyTests` beyond `NOTIFIER_TEST_RATE`,
    and `ImproperlyConfigured` where the site lacks the medium.
    """
    get_medium(destination.media_id)
    if by:
        _refuse_too_many(by)
    delivery = delivery_of(_event(by, destination.user), told_by(destination), Now())
    delivery.kind, delivery.occasion = Delivery.Kind.TEST, OCCASION
    delivery.save()

    def nudge() -> None:
        get_queue().deliver(delivery.medium, [delivery.pk])

    transaction.on_commit(nudge, robust=True)
    return Trial(delivery.pk, _note(destination))


def _refuse_too_many(by: User) -> None:
    lock_owner(by)  # so that two at once are counted one after the other
    rate = Rate.parse(conf.TEST_RATE())
    now = timezone.now()
    # by time received, which has an index: only a moment's events are looked at
    recent = Event.objects.filter(
        received__gt=now - dt.timedelta(seconds=rate.seconds),
        actor=by.get_username(),
        deliveries__kind=Delivery.Kind.TEST,
    ).order_by("-received")
    made = list(recent.values_list("received", flat=True)[: rate.count])
    if len(made) == rate.count:
        raise TooManyTests(conf.TEST_RATE(), rate.seconds - (now - made[-1]).total_seconds())


def _event(by: User | None, owner: User) -> Event:
    """Store an event that is dispatched already, so that nobody else is told of it, and its owner's."""
    now = timezone.now()
    asker = by.get_username() if by else "an operator"
    description = f"This is a test, asked for by {asker}. Nothing has happened."
    return Event.objects.create(
        id=new_event_id(),
        source=Source.objects.get_or_create(name=conf.DEFAULT_SOURCE())[0],
        type=Event.Type.STATELESS,
        level=Level.INFORMATION,
        description=description,
        body_sha256=hashlib.sha256(description.encode()).hexdigest(),
        metadata={"test": True},
        actor=by.get_username() if by else "",
        recipients=[owner.get_username()],
        timestamp=now,
        received=now,
        expires=now + KEPT_TRYING,
        state=Event.State.DISPATCHED,
        dispatched_at=now,
    )


def _note(destination: DestinationConfig) -> str:
    if not destination.disabled_at:
        return ""
    return (
        f"The destination has been disabled ({destination.disabled_reason}) since "
        f"{destination.disabled_at:%Y-%m-%d %H:%M %Z}. The test is sent all the same, and nothing "
        "else until it is enabled or has another address."
    )


def _moment(row: Delivery) -> tuple[object, ...]:
    """Return what changes with each try."""
    return row.state, row.claim_token, row.due_at
