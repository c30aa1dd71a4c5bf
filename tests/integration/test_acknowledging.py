"""How long an acknowledgement holds, and what is stateless."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifier.intake.accepting import accept
from notifier.intake.incidents import lapse_acknowledgements
from notifier.intake.schema import parse_event
from notifier.matching.rules import facts_of
from notifier.media.events import tell
from notifier.models import Event, Incident, Source

NOW = timezone.now()


def play(source: Source, *events: dict[str, Any]) -> Incident:
    """Accept events of incident db1, one by one, and return it."""
    for fields in events:
        accept([parse_event({"description": "x", "incident_key": "db1", **fields})], source)
    return Incident.objects.get()


def ack(minutes: float | None = None) -> dict[str, Any]:
    """Return an acknowledgement that ends in so many minutes, or never."""
    ends = None if minutes is None else NOW + dt.timedelta(minutes=minutes)
    return {"type": "ACK", "expires": ends}


@pytest.mark.parametrize(
    ("acks", "until"),
    [
        ([5], 5),
        ([5, 60], 60),
        ([60, 5], 60),
        ([None, 5], None),
        ([5, None], None),
    ],
)
def test_the_longest_acknowledgement_holds(
    source: Source, acks: list[float | None], until: float | None
) -> None:
    incident = play(source, {}, *map(ack, acks))
    assert incident.acked
    expected = None if until is None else NOW + dt.timedelta(minutes=until)
    assert incident.ack_expires == expected


def test_one_that_is_over_as_it_comes_acknowledges_nothing(source: Source) -> None:
    assert not play(source, {}, ack(-5)).acked
    incident = play(source, ack(5), ack(-5))
    assert incident.acked
    assert incident.ack_expires == NOW + dt.timedelta(minutes=5)


def test_an_acknowledgement_ends_when_it_says(source: Source) -> None:
    incident = play(source, {}, ack(5))
    assert lapse_acknowledgements() == {"lapsed": 0}
    Incident.objects.update(ack_expires=NOW - dt.timedelta(seconds=1))
    assert lapse_acknowledgements() == {"lapsed": 1}
    assert lapse_acknowledgements() == {"lapsed": 0}
    incident.refresh_from_db()
    assert (incident.acked, incident.ack_expires) == (False, None)


def test_an_event_after_that_is_not_acknowledged_though_nothing_swept(source: Source) -> None:
    play(source, {}, ack(5))
    Incident.objects.update(ack_expires=NOW - dt.timedelta(seconds=1))
    incident = play(source, {"type": "CHI"})
    assert not incident.acked
    assert Event.objects.get(type="CHI").acked is False


def test_what_is_opened_anew_is_not_acknowledged(source: Source) -> None:
    incident = play(source, {}, ack(5), {"type": "END"})
    assert incident.acked
    incident = play(source, {"type": "RES"})
    assert (incident.acked, incident.ack_expires) == (False, None)


# stateless incidents


@pytest.fixture
def stateless(source: Source) -> Incident:
    """An incident that was over as it began."""
    event = parse_event({"description": "Configuration saved", "level": 4})
    accept([event.model_copy(update={"incident_key": "db1"})], source)
    return Incident.objects.get()


def test_a_stateless_incident_is_neither_open_nor_ended(stateless: Incident) -> None:
    assert (stateless.stateful, stateless.open, stateless.end_time) == (False, False, None)
    event = Event.objects.get()
    assert (event.type, event.incident, event.sequence) == ("LES", stateless, 1)
    assert (event.open, event.acked) == (None, False)


@pytest.mark.parametrize("kind", ["CHI", "OTH", "ACK", "END", "CLO"])
def test_it_stays_so_whatever_is_told_of_it(stateless: Incident, source: Source, kind: str) -> None:
    assert not play(source, {"type": kind}).stateful
    event = Event.objects.get(type=kind)
    assert event.open is None
    assert event.acked is (kind == "ACK")
    assert facts_of(event).stateful is False


@pytest.mark.parametrize("kind", ["STA", "RES", "REO"])
def test_a_start_of_the_same_key_opens_it(stateless: Incident, source: Source, kind: str) -> None:
    assert play(source, {"type": kind}).open
    assert facts_of(Event.objects.get(type=kind)).stateful is True


def test_filters_and_media_see_it_as_stateless(stateless: Incident) -> None:
    facts = facts_of(Event.objects.select_related("source").get())
    assert (facts.stateful, facts.open) == (False, None)
    told: Any = tell(Event.objects.select_related("source", "incident").get())
    assert not told.incident
    assert told.incident.pk == stateless.pk
    assert told.incident.end_time == stateless.start_time


def test_the_database_refuses_a_stateless_event_that_is_open(stateless: Incident) -> None:
    with pytest.raises(IntegrityError, match="event_incident_and_state"), transaction.atomic():
        Event.objects.update(open=True)
