"""Claiming rows: who may work on what, decided by one guarded update on the database's clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from notifier import conf
from notifier.delivering.walking import Place, Walk, walk
from notifier.models import Delivery, Event, Gate

FREED = {"claim_token": None, "lease_until": None}
"""What a row holds while it is nobody's."""

CLAIMED = (
    "id",
    "event",
    "destination",
    "kind",
    "host",
    "urgency",
    "incident",
    "sequence",
    "attempts",
    "solo",
)
"""What a batch asks of its rows: reading a whole one takes several times as long."""

SHARES = 10
"""A claim takes a tenth from each user at first, and more of theirs only where there is room.

While more waits than a claim can take, it is one from each: fair, and mostly of one event, which is
rendered once.
"""
TRIES = 3
"""So often a claim looks that lost all its rows to other workers, or came to closed ones alone."""

_UNFINISHED = (Delivery.State.PENDING, Delivery.State.SENDING)

_places: dict[str, Place] = {}
"""Where this process's last claim of each medium ended: its next one begins behind it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries that are this worker's until their lease ends; only `token` may write to them."""

    token: uuid.UUID
    deliveries: list[Delivery]
    """In the order in which they are to be sent, with no more than the columns `CLAIMED`."""
    full: bool
    """Whether more may be due: the claim was cut off."""
    probe: str | None = None
    """The host whose breaker is half open, and which one of these tries."""

    @property
    def size(self) -> int:
        """How many deliveries it holds."""
        return len(self.deliveries)


def due_deliveries(medium: str) -> QuerySet[Delivery]:
    """Return a medium's deliveries that may be sent now, as `walking.walk` would: to be counted."""
    earlier = Delivery.objects.filter(
        destination=OuterRef("destination"),
        incident=OuterRef("incident"),
        sequence__lt=OuterRef("sequence"),
        state__in=_UNFINISHED,
    )
    closed = Gate.objects.filter(
        Q(paused=True) | Q(closed_until__gt=Now()) | Q(probe_until__gt=Now()), medium=medium
    )
    if closed.filter(host="", destination=None).exists():
        return Delivery.objects.none()
    return (
        Delivery.objects.filter(medium=medium, state=Delivery.State.PENDING, due_at__lte=Now())
        .filter(Q(expires_at=None) | Q(expires_at__gt=Now()), destination__isnull=False)
        .filter(Q(incident=None) | ~Exists(earlier))
        .exclude(host__in=closed.filter(destination=None).values("host"))
        .exclude(destination__in=closed.filter(destination__isnull=False).values("destination"))
    )


def look(medium: str) -> Walk:
    """Look for one delivery that may be sent now; `full` where there is one, or may be."""
    found = walk(medium, 1, share=1, behind=_places.get(medium))
    if found.place and not found.ids:
        _places[medium] = found.place
    return found


def most_urgent_of(medium: str) -> int | None:
    """Return the urgency of the most urgent delivery that may be sent now; None where there is none."""
    return next(iter(walk(medium, 1, share=1).urgencies.values()), None)


def claim_deliveries(medium: str, limit: int) -> Claim | None:
    """Take up to `limit` due deliveries for one lease; None where nothing is due.

    A row whose worker died (`solo`) is taken alone, so that it can't take others down with it.
    """
    for _ in range(TRIES):
        found, claim = _claim(medium, limit)
        if claim or not (found.ids or found.full):
            break
    return claim


@transaction.atomic
def _claim(medium: str, limit: int) -> tuple[Walk, Claim | None]:
    found = _next(medium, limit)
    rows = (
        Delivery.objects.filter(pk__in=found.ids, state=Delivery.State.PENDING)
        .only(*CLAIMED)
        .select_for_update(skip_locked=True, of=("self",))
        .in_bulk()
    )
    chosen = [pk for pk in found.ids if pk in rows]
    # a suspect goes before others of its urgency, and alone
    first = rows[chosen[0]].urgency if chosen else None
    suspects = [pk for pk in chosen if rows[pk].solo and rows[pk].urgency == first]
    chosen = suspects[:1] or [pk for pk in chosen if not rows[pk].solo]
    chosen, probe = _with_one_probe(medium, chosen, found.probes)
    if not chosen:
        return found, None
    token = uuid.uuid4()
    Delivery.objects.filter(pk__in=chosen).update(
        state=Delivery.State.SENDING,
        claim_token=token,
        lease_until=Now() + dt.timedelta(seconds=conf.LEASE_S()),
    )
    # an event's side by side, as they were made: what it says is rendered once
    deliveries = sorted((rows[pk] for pk in chosen), key=lambda row: (row.urgency, row.pk))
    more = found.full or len(chosen) < len(found.ids)
    return found, Claim(token, deliveries, full=more, probe=probe)


def _next(medium: str, limit: int) -> Walk:
    """Walk for everybody's share; where somebody has more, again for the rest of it.

    The rest of an urgency comes before the next urgency, and after everybody's share of its own.
    """
    behind = _places.get(medium)
    share = 1 if behind and behind.crowded else max(limit // SHARES, 1)
    found = walk(medium, limit, share=share, behind=behind)
    place = found.place
    while found.shared and share < limit and not _is_filled(found, limit):
        share = max(-(-limit // len(found.ids)), 2) if share == 1 else limit
        rest = walk(medium, limit, share=share, behind=behind)
        urgencies = found.urgencies | rest.urgencies
        # stable
        ids = sorted(dict.fromkeys([*found.ids, *rest.ids]), key=urgencies.__getitem__)
        found = replace(
            rest,
            ids=ids[:limit],
            urgencies={pk: urgencies[pk] for pk in ids[:limit]},
            probes=found.probes | rest.probes,
            full=found.full or rest.full or len(ids) > limit,
        )
    if place:
        _places[medium] = replace(place, crowded=found.full)
    return found


def _is_filled(found: Walk, limit: int) -> bool:
    """Whether a walk has all it may take, and none of it has to stand behind what it left."""
    return len(found.ids) == limit and len(set(found.urgencies.values())) == 1


def _with_one_probe(
    medium: str, chosen: list[int], probes: dict[int, str]
) -> tuple[list[int], str | None]:
    """Leave out what would try a host that is half open, but for one that no other worker tries.

    One, because it may well cost the time limit of a send, and the others wait behind it.
    """
    free = Q(probe_until=None) | Q(probe_until__lte=Now())
    time_s = conf.BATCH_BUDGET_S() + 2 * conf.SEND_TIMEOUT_S()
    rest = [pk for pk in chosen if pk not in probes]
    for pk in [pk for pk in chosen if pk in probes][:1]:
        gate = Gate.objects.filter(free, medium=medium, host=probes[pk], destination=None)
        if gate.update(probe_until=Now() + dt.timedelta(seconds=time_s)):
            return [pk, *rest], probes[pk]
    return rest, None


def end_probe(medium: str, host: str) -> None:
    """Let the next one try a host that was not tried after all."""
    Gate.objects.filter(medium=medium, host=host, destination=None).update(probe_until=None)


def release(token: uuid.UUID, but: Collection[int] = ()) -> int:
    """Give back what a claim did not send, as it was; return how many."""
    held = Delivery.objects.filter(claim_token=token, state=Delivery.State.SENDING)
    return held.exclude(pk__in=but).update(state=Delivery.State.PENDING, **FREED)


def waiting_events() -> QuerySet[Event]:
    """Return events that may be dispatched now, urgent ones first.

    Not one whose incident has an earlier one waiting.
    """
    earlier = Event.objects.filter(
        incident=OuterRef("incident"),
        sequence__lt=OuterRef("sequence"),
        state=Event.State.ACCEPTED,
    )
    return (
        Event.objects.filter(state=Event.State.ACCEPTED)
        .filter(Q(incident=None) | ~Exists(earlier))
        .order_by("level", "received", "pk")
    )
