"""Incidents: listed, shown, and dealt with by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Event, Incident, Source
from tests.api.conftest import Ask, asker, problem, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Post = Callable[..., Incident]


@pytest.fixture
def post(source: Source) -> Post:
    """Post an event of an incident of the shop's; return the incident."""

    def post(key: str, **sent: Any) -> Incident:
        raw = {"description": "Disk full", "level": 2, "incident_key": key, **sent}
        accept([parse_event(raw)], source)
        return Incident.objects.get(incident_key=key)

    return post


@pytest.fixture
def operate(ben: User) -> Ask:
    """Asks for Ben, who may change incidents and view them all."""
    rights = Permission.objects.filter(codename__in=["change_incident", "view_incident"])
    ben.user_permissions.add(*rights)
    return asker(token_of(ben))


def keys(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [each["incident_key"] for each in answer.json()["items"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["c", "b", "a"]),
        ("source=shop", ["c", "b", "a"]),
        ("source=bank", []),
        ("open=true", ["c", "a"]),
        ("open=false", ["b"]),
        ("acked=true", ["c"]),
        ("max_level=1", ["a"]),
        ("open=true&acked=false", ["a"]),
        ("since=2026-11-23T12:00:00Z", ["c", "b"]),
        ("until=2026-11-23T12:00:00Z", ["a"]),
    ],
)
def test_they_are_listed_and_filtered(ask: Ask, post: Post, asked: str, found: list[str]) -> None:
    post("a", level=1, timestamp="2026-11-23T11:00:00Z")
    post("b")
    post("c")
    post("b", type="END")
    post("c", type="ACK")
    Incident.objects.exclude(incident_key="a").update(start_time="2026-11-23T12:30:00Z")
    assert keys(ask("GET", f"/incidents?{asked}")) == found


def test_pages_follow_each_other(ask: Ask, post: Post) -> None:
    for key in "abc":
        post(key)
    page = ask("GET", "/incidents?open=true&limit=2")
    assert keys(page) == ["c", "b"]
    path = f"/incidents?open=true&limit=2&cursor={page.json()['next']}"
    assert keys(ask("GET", path)) == ["a"]


def test_one_is_known_as_far_as_its_events_are(
    ask: Ask, ben: User, operate: Ask, post: Post
) -> None:
    incident = post("a", description="public", level=4, details_url="https://x.example/1")
    post("a", type="CHI", description="for Anna", level=1, recipients=["anna"])
    path = f"/incidents/{incident.pk}"

    def known(ask: Ask) -> tuple[str, int]:
        shown = ask("GET", path).json()
        assert shown["details_url"] == "https://x.example/1"
        return shown["description"], shown["level"]

    assert known(ask) == ("for Anna", 1)
    assert known(operate) == ("for Anna", 1)
    assert known(asker(token_of(ben, "read"))) == ("public", 4)


def test_one_that_is_anothers_is_not_there(anna: User, ben: User, post: Post) -> None:
    incident = post("a", recipients=["anna"])
    ben.user_permissions.add(Permission.objects.get(codename="change_incident"))
    other = asker(token_of(ben))
    assert keys(other("GET", "/incidents")) == []
    problem(other("GET", f"/incidents/{incident.pk}"), 404)
    problem(other("GET", f"/incidents/{incident.pk}/events"), 404)
    problem(other("POST", f"/incidents/{incident.pk}/close", {}), 403)
    incident.refresh_from_db()
    assert incident.open


@pytest.mark.parametrize(
    ("deed", "event_type", "left"),
    [
        ("ack", "ACK", {"open": True, "acked": True}),
        ("close", "CLO", {"open": False, "acked": False}),
        ("reopen", "REO", {"open": True, "acked": False}),
    ],
)
def test_a_deed_is_told_once(
    operate: Ask, post: Post, deed: str, event_type: str, left: dict[str, bool]
) -> None:
    incident = post("a")
    if deed == "reopen":
        post("a", type="END")
    path = f"/incidents/{incident.pk}/{deed}"
    answer = operate("POST", path, {"description": "I pulled the plug"})
    assert answer.status_code == 200
    shown = answer.json()
    assert {name: shown[name] for name in left} == left
    event = Event.objects.get(pk=shown["event"])
    assert (event.type, event.actor) == (event_type, "ben")
    assert event.description == "I pulled the plug"
    again = operate("POST", path, {})
    assert again.status_code == 200
    assert again.json()["event"] is None


def test_a_deed_is_an_operators(ask: Ask, post: Post) -> None:
    incident = post("a")
    problem(ask("POST", f"/incidents/{incident.pk}/ack", {}), 403)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"description": "x" * 16_385}, "description"),
        ({"description": " "}, "description"),
        ({"description": 7}, "description"),
        ({"level": 1}, "level"),
        ([], "body"),
        (b"", "body"),
    ],
)
def test_words_that_are_none_are_refused(
    operate: Ask, post: Post, body: object, field: str
) -> None:
    incident = post("a")
    answer = problem(operate("POST", f"/incidents/{incident.pk}/ack", body), 422)
    assert field in answer["errors"]
    incident.refresh_from_db()
    assert not incident.acked


def test_an_acknowledgement_may_end(operate: Ask, post: Post) -> None:
    path = f"/incidents/{post('a').pk}/ack"
    past = problem(operate("POST", path, {"expires": "2026-01-01T00:00:00Z"}), 422)
    assert past["errors"] == {"expires": "must lie in the future"}
    later = (timezone.now() + dt.timedelta(hours=1)).replace(microsecond=0)
    shown = operate("POST", path, {"expires": later.isoformat()}).json()
    assert shown["acked"] is True
    assert dt.datetime.fromisoformat(shown["ack_expires"]) == later


def test_a_stateless_incident_can_not_be_closed(operate: Ask, post: Post) -> None:
    incident = post("a")
    Incident.objects.update(open=False, end_time=None)
    for deed in ("close", "reopen"):
        answer = problem(operate("POST", f"/incidents/{incident.pk}/{deed}", {}), 422)
        assert "it was over as it began" in answer["detail"]
    assert operate("GET", f"/incidents/{incident.pk}").json()["end_time"] is None
