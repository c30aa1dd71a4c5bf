"""Rows to send, without matching."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.delivering import claiming
from notifier.fingerprint import fingerprint
from notifier.ids import new_event_id
from notifier.models import (
    Attempt,
    DailyCount,
    Delivery,
    DestinationConfig,
    Event,
    Incident,
    QuarantinedEvent,
    Source,
)
from tests.plugins import Counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

PLUGINS = [f"tests.plugins.{name}" for name in ("Counting", "Babbling", "Forgetful", "Unopenable")]

AddDelivery = Callable[..., Delivery]
AddOld = Callable[..., Delivery]


@pytest.fixture(autouse=True)
def _first_turn() -> None:
    """Let every test's first claim begin with the first user."""
    claiming._places.clear()


@pytest.fixture
def counting(settings: Settings) -> Iterator[list[str]]:
    """The test media, enabled beside e-mail; yields what `Counting` sent."""
    settings.MEDIA_PLUGINS = ["notifier.media.email.EmailNotification", *PLUGINS]
    Counting.sent.clear()
    yield Counting.sent
    Counting.sent.clear()


def sums() -> Counter[str]:
    """Return how many rows of each `DailyCount.Subject` there are and have been."""
    tables = {
        "event": Event,
        "delivery": Delivery,
        "attempt": Attempt,
        "quarantined": QuarantinedEvent,
    }
    found = Counter({subject: model.objects.count() for subject, model in tables.items()})  # type: ignore[attr-defined] # every model has it
    for subject, count in DailyCount.objects.values_list("subject", "count"):
        found[subject] += count
    return found


@pytest.fixture
def add_delivery(anna: User, source: Source, counting: list[str]) -> AddDelivery:
    """Add a pending delivery of Anna's: `add_delivery("ok-1", medium="counting", …)`."""
    numbers = itertools.count(1)

    def add(
        address: str = "",
        *,
        medium: str = "counting",
        event: Event | None = None,
        incident: Incident | None = None,
        level: int = 3,
        **columns: Any,
    ) -> Delivery:
        number = next(numbers)
        address = address or f"ok-{number}"
        destination, _ = DestinationConfig.objects.get_or_create(
            user=anna,
            media_id=medium,
            fingerprint=fingerprint(medium, address),
            defaults={"settings": {"address": address}},
        )
        if event is None:
            event = add_event(source, number, level, incident)
        return Delivery.objects.create(
            event=event,
            destination=destination,
            user=anna,
            medium=medium,
            urgency=event.level,
            incident=event.incident,
            sequence=event.sequence,
            **columns,
        )

    return add


def add_event(
    source: Source, number: int, level: int = 3, incident: Incident | None = None
) -> Event:
    """Add an event that is dispatched already."""
    threaded: dict[str, Any] = {}
    if incident:
        incident.last_sequence += 1
        incident.save()
        threaded = {
            "incident": incident,
            "sequence": incident.last_sequence,
            "open": True,
            "acked": False,
        }
    return Event.objects.create(
        id=new_event_id(),
        source=source,
        type="CHI" if incident else "LES",
        level=level,
        description=f"event {number}",
        timestamp="2026-11-23T12:00:00Z",
        state="dispatched",
        body_sha256="0" * 64,
        **threaded,
    )


@pytest.fixture
def incident(source: Source) -> Incident:
    """An open incident of the shop's."""
    return Incident.objects.create(
        source=source, incident_key="db1", level=2, start_time="2026-11-23T12:00:00Z"
    )


def ago(days: float) -> dt.datetime:
    """Return the moment so many days ago."""
    return timezone.now() - dt.timedelta(days=days)


@pytest.fixture
def add_old(add_delivery: AddDelivery) -> AddOld:
    """Add a delivery, tried once, of an event that came so many days ago and ended at once."""

    def add(days: float, state: str = "sent", ended: float | None = None, **columns: Any) -> Any:
        finished: dict[str, Any] = {"finished_at": ago(days if ended is None else ended)}
        if state == "sending":
            finished = {"claim_token": uuid.uuid4(), "lease_until": timezone.now()}
        reason = "gone" if state in {"failed", "cancelled"} else ""
        columns = {"reason": reason, **({} if state == "pending" else finished), **columns}
        row = add_delivery(state=state, **columns)
        Attempt.objects.create(
            delivery=row,
            number=1,
            started_at=ago(days),
            duration_ms=1,
            worker="w",
            outcome="sent" if state == "sent" else "permanent",
            reason=reason,
        )
        Event.objects.filter(pk=row.event_id).update(received=ago(days))
        return row

    return add
