"""The state of a site, and what of it is held back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.delivering.sweeping import HEARTBEAT
from notifier.models import Gate, Heartbeat
from tests.api.conftest import Ask, asker, problem, token_of
from tests.api.test_deliveries import Add, add  # noqa: F401 - a fixture
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def ask(admin_user: User) -> Ask:
    """Asks for an operator who may do everything."""
    return asker(token_of(admin_user, "operate"))


def medium(answer: Any, slug: str) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    return next(each for each in answer.json()["media"] if each["medium"] == slug)


def test_what_waits_is_shown(ask: Ask, add: Add, queue: RecordingQueue) -> None:  # noqa: F811
    queue.waiting = {"events": 3}
    Heartbeat.beat(HEARTBEAT)
    ago = timezone.now() - dt.timedelta(minutes=5)
    later = timezone.now() + dt.timedelta(minutes=5)
    for due_at in (ago, ago, later):
        add(state="pending", due_at=due_at)
    answer = ask("GET", "/queues")
    email = medium(answer, "email")
    assert email["due"]["count"] == 2
    assert dt.datetime.fromisoformat(email["due"]["oldest"]) == ago
    assert (email["pending"], email["paused"]) == (3, False)
    assert medium(answer, "sms")["due"] == {"count": 0, "oldest": None}
    shown = answer.json()
    assert shown["queues"] == [{"queue": "events", "messages": 3}]
    assert shown["events"] == {"count": 0, "oldest": None}
    assert timezone.now() - dt.datetime.fromisoformat(shown["swept"]) < dt.timedelta(minutes=1)


def test_a_redis_that_is_away_is_said(
    ask: Ask, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: object) -> None:
        raise ConnectionError("Redis can't be reached")

    monkeypatch.setattr(RecordingQueue, "lengths", away)
    assert ask("GET", "/queues").json()["queues"] is None
    diagnosis = ask("GET", "/diagnosis").json()
    assert diagnosis["well"] is False
    assert any(each["subject"] == "redis" for each in diagnosis["findings"])


def test_a_diagnosis_is_the_doctors(ask: Ask, queue: RecordingQueue) -> None:
    assert ask("GET", "/queues").json()["swept"] is None
    findings = {each["subject"]: each for each in ask("GET", "/diagnosis").json()["findings"]}
    assert findings["sweep"] == {
        "subject": "sweep",
        "well": False,
        "sentence": "never ran; start beat and a worker of queue maintenance",
    }


def test_a_medium_is_held_back_and_goes_on(ask: Ask, add: Add) -> None:  # noqa: F811
    add(state="pending")
    assert ask("GET", "/gates").json()["items"] == []
    paused = ask("POST", "/gates/pause", {"medium": "email"})
    assert paused.status_code == 200
    assert (paused.json()["host"], paused.json()["paused"]) == ("", True)
    held = medium(ask("GET", "/queues"), "email")
    assert (held["due"]["count"], held["pending"], held["paused"]) == (0, 1, True)
    assert ask("GET", "/gates?closed=true").json()["items"] == [paused.json()]

    resumed = ask("POST", "/gates/resume", {"medium": "email"})
    assert resumed.json()["paused"] is False
    assert medium(ask("GET", "/queues"), "email")["due"]["count"] == 1
    assert ask("GET", "/gates?closed=true").json()["items"] == []
    assert ask("GET", "/gates").json()["items"] == [resumed.json()]


def test_one_host_is_held_back_alone(ask: Ask) -> None:
    paused = ask("POST", "/gates/pause", {"medium": "email", "host": "mail.example.org"})
    assert paused.json()["host"] == "mail.example.org"
    assert medium(ask("GET", "/queues"), "email")["paused"] is False


def test_a_breaker_is_closed_by_hand(ask: Ask) -> None:
    until = timezone.now() + dt.timedelta(hours=1)
    Gate.objects.create(medium="email", closed_until=until, reason="timeout", failures=5, trips=2)
    [shown] = ask("GET", "/gates?closed=true").json()["items"]
    assert (shown["reason"], shown["failures"], shown["trips"]) == ("timeout", 5, 2)
    answer = ask("POST", "/gates/resume", {"medium": "email"}).json()
    assert (answer["closed_until"], answer["reason"], answer["trips"]) == (None, None, 0)


def test_resuming_what_never_was_held_back_does_nothing(ask: Ask) -> None:
    answer = ask("POST", "/gates/resume", {"medium": "sms"})
    assert answer.status_code == 200
    assert answer.json()["paused"] is False
    assert not Gate.objects.exists()


def test_a_destinations_gate_is_its_owners(ask: Ask, anna: User) -> None:
    Gate.objects.create(medium="email", destination=anna.destinations.get(), paused=True)
    assert ask("GET", "/gates").json()["items"] == []


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_a_medium_that_is_not_there_is_refused(ask: Ask, what: str) -> None:
    answer = problem(ask("POST", f"/gates/{what}", {"medium": "pigeon"}), 422)
    assert answer["errors"] == {"medium": "there is no medium 'pigeon'; there are email, sms"}
