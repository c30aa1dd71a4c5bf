"""The event as media see it."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from django.template import Context, Template

from notifier.ids import new_event_id
from notifier.media.argus import INFINITY, modelinstance_to_dict
from notifier.media.events import MAX_TITLE, tell
from notifier.messages import described
from notifier.models import Event, Incident, Source

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SHOP = Source(pk=7, name="shop", type="app")
ARGUS_COLUMNS = {
    "_state",
    "id",
    "source_id",
    "start_time",
    "end_time",
    "source_incident_id",
    "details_url",
    "description",
    "level",
    "ticket_url",
    "metadata",
}


def told(kind: str = "LES", incident: Incident | None = None, **columns: Any) -> Any:
    """Return an event that no database has seen, as media see it."""
    event = Event(
        id=new_event_id(),
        source=SHOP,
        type=kind,
        level=2,
        incident=incident,
        **{"timestamp": NOON, "description": "disk is full", "tags": ["host=db1=x"], **columns},
    )
    return tell(event)


def db1(**columns: Any) -> Incident:
    return Incident(
        pk=3,
        source=SHOP,
        incident_key="db1",
        level=1,
        start_time=NOON - dt.timedelta(hours=1),
        **{"description": "db1 is down", "details_url": "https://nms.example/3", **columns},
    )


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (told(), "disk is full (shop)"),
        (told("STA", db1()), "Incident started: disk is full (shop)"),
        (told("END", db1()), "Incident ended: disk is full (shop)"),
        (told("ACK", db1(), actor="anna"), "Incident acknowledged by anna: disk is full (shop)"),
        (told("OTH", db1()), "News of an incident: disk is full (shop)"),
        (told(description="two\r\nlines\tof it"), "two lines of it (shop)"),
    ],
)
def test_it_reads_like_a_sentence_in_one_line(event: Any, sentence: str) -> None:
    assert str(event) == sentence


def test_every_type_of_an_incidents_events_has_a_sentence() -> None:
    sentences = {str(told(kind, db1())) for kind in Event.Type.values}
    assert len(sentences) == len(Event.Type)


def test_a_long_description_is_cut() -> None:
    assert str(told(description="x" * 16_000)) == f"{'x' * (MAX_TITLE - 1)}… (shop)"


def test_it_has_what_plugins_of_argus_read() -> None:
    event = told("ACK", db1(), actor="anna", expires=NOON)
    incident = event.incident
    assert (event.type, event.description, event.timestamp) == ("ACK", "disk is full", NOON)
    assert event.actor.username == "anna"
    assert event.acknowledgment.expiration == event.ack.expiration == NOON
    assert (incident.pk, incident.id, incident.level, incident.description) == (
        3,
        3,
        1,
        "db1 is down",
    )
    assert incident.start_time == NOON - dt.timedelta(hours=1)
    assert incident.end_time is INFINITY
    assert (incident.stateful, incident.open, incident.acked) == (True, True, False)
    assert (incident.source.name, incident.source.type.name, str(incident.source)) == (
        "shop",
        "app",
        "shop",
    )
    assert incident.details_url == incident.pp_details_url() == "https://nms.example/3"
    [tag] = incident.tags
    assert (tag, tag.key, tag.value, tag.representation) == ("host=db1=x", "host", "db1=x", tag)
    assert incident.deprecated_tags == event.tags == ["host=db1=x"]
    assert incident.pp_level() == "critical"


def test_it_has_what_the_model_has() -> None:
    event = told("STA", db1(), source_event_id="7", sequence=4)
    assert (event.source_event_id, event.sequence, event.get_type_display()) == ("7", 4, "start")
    assert (event.incident.incident_key, event.incident.get_level_display()) == ("db1", "critical")
    with pytest.raises(AttributeError):
        _ = event.nonsense


def test_a_stateless_event_has_an_incident_that_is_over_and_false() -> None:
    incident = told(details_url="https://nms.example/9").incident
    assert not incident
    assert (incident.pk, incident.open, incident.stateful, incident.source_incident_id) == (
        None,
        False,
        False,
        "",
    )
    assert incident.start_time == incident.end_time == NOON
    assert (incident.description, incident.level) == ("disk is full", 2)
    assert incident.pp_details_url() == "https://nms.example/9"
    assert incident.get_level_display() == "high"


@pytest.mark.parametrize("event", [told(), told("STA", db1())])
def test_its_incident_holds_argus_columns(event: Any) -> None:
    assert set(vars(event.incident)) == ARGUS_COLUMNS
    assert set(modelinstance_to_dict(event.incident)) == ARGUS_COLUMNS - {"_state"}


def test_an_acknowledgement_without_end_has_an_empty_time() -> None:
    expiration = told("ACK", db1()).acknowledgment.expiration
    assert not expiration
    assert expiration.isoformat() == str(expiration) == ""


def test_no_other_type_has_an_acknowledgement() -> None:
    assert not hasattr(told("STA", db1()), "acknowledgment")


def test_an_event_without_actor_is_its_sources_doing() -> None:
    actor = told().actor
    assert actor.username == "shop"
    assert not actor  # as templates ask


def test_templates_tell_both_kinds_apart() -> None:
    template = Template(
        "{% if event.incident %}{{ event.incident.source.name }}{% else %}-{% endif %}"
    )
    assert template.render(Context({"event": told("STA", db1())})) == "shop"
    assert template.render(Context({"event": told()})) == "-"


def test_it_can_be_copied() -> None:
    assert str(copy.deepcopy(told("STA", db1()))) == "Incident started: disk is full (shop)"


def test_it_may_say_something_else() -> None:
    event = described(told("STA", db1()), "in Anna's words")
    assert (event.description, str(event)) == (
        "in Anna's words",
        "Incident started: in Anna's words (shop)",
    )
