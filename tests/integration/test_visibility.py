"""Who may look at which events and incidents."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from notifier.delivering.testing import send_test
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Delivery, Event, Incident, Source
from notifier.visibility import visible_events, visible_incidents

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    Post = Callable[..., Event]


@pytest.fixture
def ben(db: None, django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ben", email="ben@example.org")


@pytest.fixture
def post(source: Source) -> Post:
    def post(description: str = "x", **fields: Any) -> Event:
        [accepted] = accept([parse_event({"description": description, **fields})], source)
        return Event.objects.get(pk=accepted.id)

    return post


def test_what_names_nobody_is_anybodys(post: Post, anna: User) -> None:
    event = post()
    assert list(visible_events(anna)) == [event]


def test_what_names_others_is_theirs_alone(post: Post, anna: User, ben: User) -> None:
    event = post(recipients=["carla", "anna"][1:])
    assert list(visible_events(anna)) == [event]
    assert not visible_events(ben).exists()


@pytest.mark.parametrize("name", ["ann", "anna ", '"anna"', "anna%", "'", "?", "%s"])
def test_a_name_is_compared_as_a_whole(
    post: Post, anna: User, django_user_model: type[User], name: str
) -> None:
    other = django_user_model.objects.create_user(name)
    post(recipients=["anna"])
    own = post(recipients=["anna", name])
    assert list(visible_events(other)) == [own]


def test_who_was_told_may_look(post: Post, anna: User, ben: User) -> None:
    event = post(recipients=["anna"])
    Delivery.objects.create(event=event, user=ben, medium="email", urgency=5)
    assert list(visible_events(ben)) == [event]


def test_an_incident_says_what_its_viewer_may_know(post: Post, anna: User, ben: User) -> None:
    post("nobody's", incident_key="a", details_url="https://x.example/1")
    post(
        "again",
        incident_key="a",
        type="RES",
        recipients=["anna"],
        details_url="https://x.example/2",
    )
    post("nobody's, changed", incident_key="a", type="CHI")
    for_anna = post("anna's", incident_key="a", type="CHI", recipients=["anna"])
    post("seen to", incident_key="a", type="ACK")
    [incident] = visible_incidents(anna)
    assert (incident.known_by, incident.known_url) == (for_anna.pk, "https://x.example/2")  # type: ignore[attr-defined]
    [incident] = visible_incidents(ben)
    assert Event.objects.get(pk=incident.known_by).description == "nobody's, changed"  # type: ignore[attr-defined]
    assert incident.known_url == "https://x.example/1"  # type: ignore[attr-defined]


def test_an_incident_of_which_nothing_may_be_seen_is_not_there(
    post: Post, anna: User, ben: User
) -> None:
    post(incident_key="a", recipients=["anna"])
    assert not visible_incidents(ben).exists()
    ack = post(incident_key="a", type="ACK")
    [incident] = visible_incidents(ben)
    assert incident == Incident.objects.get()
    assert incident.known_by == ack.pk  # type: ignore[attr-defined]


def test_a_test_is_the_business_of_who_is_tested(anna: User, ben: User) -> None:
    trial = send_test(anna.destinations.get(), by=anna)
    assert [event.pk for event in visible_events(anna)] == [
        Delivery.objects.get(pk=trial.delivery_id).event_id
    ]
    assert not visible_events(ben).exists()
