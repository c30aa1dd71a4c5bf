"""Claiming rows: who may work on what, decided by one guarded update on the database's clock."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from notifier import conf
from notifier.models import Delivery, Event

FREED = {"claim_token": None, "lease_until": None}
"""What a row holds while it is nobody's."""

_UNFINISHED = (Delivery.State.PENDING, Delivery.State.SENDING)


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries that are this worker's until their lease ends; only `token` may write to them."""

    token: uuid.UUID
    size: int
    full: bool
    """Whether more may be due: the claim was cut off."""


def due_deliveries(medium: str) -> QuerySet[Delivery]:
    """Return a medium's deliveries that may be sent now, urgent ones first.

    Not one that has expired, which the sweep cancels, nor one whose incident has an earlier one
    unfinished at the same destination: per destination and incident, messages leave in order.
    """
    earlier = Delivery.objects.filter(
        destination=OuterRef("destination"),
        incident=OuterRef("incident"),
        sequence__lt=OuterRef("sequence"),
        state__in=_UNFINISHED,
    )
    return (
        Delivery.objects.filter(medium=medium, state=Delivery.State.PENDING, due_at__lte=Now())
        .filter(Q(expires_at=None) | Q(expires_at__gt=Now()))
        .filter(Q(incident=None) | ~Exists(earlier))
        .order_by("urgency", "due_at", "pk")
    )


@transaction.atomic
def claim_deliveries(medium: str, limit: int) -> Claim | None:
    """Take up to `limit` due deliveries for one lease; None where nothing is due.

    A row whose worker died (`solo`) is taken alone, so that it can't take others down with it.
    """
    due = due_deliveries(medium).select_for_update(skip_locked=True, of=("self",))
    rows = list(due.values_list("pk", "solo")[:limit])
    if not rows:
        return None
    first, first_is_solo = rows[0]
    chosen = [first] if first_is_solo else [pk for pk, solo in rows if not solo]
    token = uuid.uuid4()
    size = Delivery.objects.filter(pk__in=chosen, state=Delivery.State.PENDING).update(
        state=Delivery.State.SENDING,
        claim_token=token,
        lease_until=Now() + dt.timedelta(seconds=conf.LEASE_S()),
    )
    return Claim(token, size, full=len(rows) == limit or size < len(rows))


def release(token: uuid.UUID) -> int:
    """Give back what a claim did not send, as it was; return how many."""
    return Delivery.objects.filter(claim_token=token, state=Delivery.State.SENDING).update(
        state=Delivery.State.PENDING, **FREED
    )


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
