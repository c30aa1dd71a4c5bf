"""What a person does to an incident."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.errors import InvalidEvent
from notifier.intake.accepting import accept
from notifier.intake.acting import act
from notifier.intake.schema import parse_event
from notifier.models import Event, Incident, Source

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    Post = Callable[..., Incident]

Type = Event.Type


@pytest.fixture
def post(source: Source) -> Post:
    def post(**fields: Any) -> Incident:
        raw = {"description": "Disk full", "level": 2, "incident_key": "db1", **fields}
        accept([parse_event(raw)], source)
        return Incident.objects.get()

    return post


def newest() -> Event:
    return Event.objects.latest("sequence")


def test_a_deed_is_an_event_of_its_doer_for_whom_the_start_was(post: Post, anna: User) -> None:
    incident = post(tags=["host=db1"], recipients=["anna"], details_url="https://x.example/1")
    event_id = act(incident, Type.ACKNOWLEDGE, by=anna)
    event = newest()
    assert event.pk == event_id
    assert (event.type, event.actor, event.source_id) == ("ACK", "anna", incident.source_id)
    assert (event.description, event.level, event.tags) == ("Disk full", 2, ["host=db1"])
    assert (event.recipients, event.details_url) == (["anna"], "https://x.example/1")
    incident.refresh_from_db()
    assert (incident.open, incident.acked) == (True, True)


@pytest.mark.parametrize(
    ("before", "deed", "left"),
    [
        ({}, Type.ACKNOWLEDGE, (True, True)),
        ({}, Type.CLOSE, (False, False)),
        ({"type": "END"}, Type.REOPEN, (True, False)),
    ],
)
def test_what_is_done_is_not_done_twice(
    post: Post, anna: User, before: dict[str, Any], deed: Event.Type, left: tuple[bool, bool]
) -> None:
    incident = post()
    if before:
        post(**before)
    assert act(incident, deed, by=anna)
    incident.refresh_from_db()
    assert (incident.open, incident.acked) == left
    count = Event.objects.count()
    assert act(incident, deed, by=anna) is None
    assert Event.objects.count() == count


def test_it_says_what_its_doer_says(post: Post, anna: User) -> None:
    incident = post()
    act(incident, Type.CLOSE, by=anna, description="I pulled the plug")
    assert newest().description == "I pulled the plug"
    incident.refresh_from_db()
    assert incident.description == "Disk full"


def test_a_text_that_is_none_is_refused_and_nothing_done(post: Post, anna: User) -> None:
    incident = post()
    with pytest.raises(InvalidEvent, match="description"):
        act(incident, Type.CLOSE, by=anna, description=" ")
    incident.refresh_from_db()
    assert incident.open


def test_the_last_description_counts_and_its_recipients(
    post: Post, anna: User, django_user_model: type[User]
) -> None:
    django_user_model.objects.create_user("ben")
    post()
    post(type="CHI", level=1, description="Disk on fire", recipients=["anna", "ben"])
    incident = post(type="OTH", description="by the way")
    act(incident, Type.ACKNOWLEDGE, by=anna)
    event = newest()
    assert (event.description, event.level) == ("Disk on fire", 1)
    assert event.recipients == ["anna", "ben"]


def test_whose_recipients_are_gone_is_told_to_nobody_else(
    post: Post, anna: User, django_user_model: type[User]
) -> None:
    carla = django_user_model.objects.create_user("carla")
    incident = post(recipients=["carla"])
    carla.delete()
    act(incident, Type.CLOSE, by=anna)
    assert newest().recipients == ["anna"]


def test_an_incident_that_no_event_describes_can_be_closed(post: Post, anna: User) -> None:
    incident = post(type="ACK", description="I know")
    act(incident, Type.CLOSE, by=anna)
    assert newest().description == "I know"


def test_an_acknowledgement_for_a_time_may_be_prolonged(post: Post, anna: User) -> None:
    incident = post()
    soon = timezone.now() + dt.timedelta(hours=1)
    assert act(incident, Type.ACKNOWLEDGE, by=anna, expires=soon)
    incident.refresh_from_db()
    assert (incident.acked, incident.ack_expires) == (True, soon)
    assert act(incident, Type.ACKNOWLEDGE, by=anna)
    incident.refresh_from_db()
    assert (incident.acked, incident.ack_expires) == (True, None)
    assert act(incident, Type.ACKNOWLEDGE, by=anna, expires=soon) is None


@pytest.mark.parametrize("deed", [Type.CLOSE, Type.REOPEN])
def test_a_stateless_incident_is_over_as_it_began(post: Post, anna: User, deed: Event.Type) -> None:
    incident = post()
    Incident.objects.update(open=False, end_time=None)
    with pytest.raises(InvalidEvent, match="it was over as it began"):
        act(incident, deed, by=anna)
    assert act(incident, Type.ACKNOWLEDGE, by=anna)
