"""What an end is worth to somebody who was not told of the start."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from notifier.delivering.dispatching import dispatch
from notifier.delivering.replaying import replay
from notifier.delivering.sending import deliver
from notifier.intake.notifying import notify
from notifier.models import Delivery, DestinationConfig, Event
from tests.conftest import add_profile
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture
def rows(anna: User, counting: list[str], queue: RecordingQueue) -> None:
    """Anna hears of everything by the test medium."""
    destination = DestinationConfig(user=anna, media_id="counting", settings={"address": "ok-1"})
    destination.save()
    add_profile(anna, {"stateful": True}, destination)


def post(kind: str, minute: int) -> None:
    """Post an event of the one incident, and dispatch it."""
    notify(kind, type=kind, incident_key="x", timestamp=NOON + dt.timedelta(minutes=minute))
    dispatch()


def states() -> list[tuple[str, str, str]]:
    """Return each delivery's event type, state and reason, in order."""
    found = Delivery.objects.order_by("sequence").values_list("event__type", "state", "reason")
    return [tuple(each) for each in found]  # type: ignore[misc] # a row is a tuple of three


def end_as(kind: str, state: str) -> None:
    """Let the delivery of an event end."""
    Delivery.objects.filter(event__type=kind).update(
        state=state, reason="" if state == "sent" else "gone", finished_at=timezone.now()
    )


def test_an_end_follows_its_start(rows: None, counting: list[str]) -> None:
    post("STA", 0)
    post("END", 1)
    for _ in range(2):
        deliver("counting", worker="me")
    assert counting == ["STA to ok-1", "END to ok-1"]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_an_end_whose_start_was_not_sent_is_cancelled(
    rows: None, counting: list[str], state: str
) -> None:
    post("STA", 0)
    end_as("STA", state)
    post("END", 1)
    deliver("counting", worker="me")
    assert states() == [("STA", state, "gone"), ("END", "cancelled", "start_not_sent")]
    assert counting == []


def test_the_last_start_before_the_end_decides(rows: None, counting: list[str]) -> None:
    post("STA", 0)
    end_as("STA", "failed")
    post("END", 1)
    deliver("counting", worker="me")
    post("REO", 2)
    deliver("counting", worker="me")
    post("CLO", 3)
    deliver("counting", worker="me")
    assert counting == ["REO to ok-1", "CLO to ok-1"]


def test_who_was_never_due_the_start_is_told_of_the_end(
    rows: None, counting: list[str], anna: User
) -> None:
    anna.notification_profiles.update(active=False)
    post("STA", 0)
    anna.notification_profiles.update(active=True)
    post("END", 1)
    deliver("counting", worker="me")
    assert counting == ["END to ok-1"]


def test_a_start_that_comes_after_its_end_is_recorded_as_late_and_not_told(
    rows: None, counting: list[str]
) -> None:
    post("END", 5)
    post("STA", 0)
    deliver("counting", worker="me")
    assert counting == ["END to ok-1"]
    assert Event.objects.get(type="STA").state == "late"
    assert [kind for kind, _, _ in states()] == ["END"]


def test_who_was_told_of_a_start_is_told_of_the_end_whatever_came_between(
    rows: None, counting: list[str]
) -> None:
    post("STA", 0)
    deliver("counting", worker="me")
    post("RES", 1)
    end_as("RES", "cancelled")
    post("END", 2)
    deliver("counting", worker="me")
    assert counting == ["STA to ok-1", "END to ok-1"]


def test_a_round_that_is_over_says_nothing_of_the_next(rows: None, counting: list[str]) -> None:
    for minute, kind in enumerate(("STA", "END")):
        post(kind, minute)
        deliver("counting", worker="me")
    post("REO", 2)
    end_as("REO", "failed")
    post("CLO", 3)
    deliver("counting", worker="me")
    assert counting == ["STA to ok-1", "END to ok-1"]
    assert states()[-1] == ("CLO", "cancelled", "start_not_sent")


def test_a_replayed_start_brings_its_end_back(rows: None, counting: list[str]) -> None:
    post("STA", 0)
    end_as("STA", "failed")
    post("END", 1)
    deliver("counting", worker="me")
    assert sum(replay(Delivery.objects.all())) == 1
    for _ in range(2):
        deliver("counting", worker="me")
    assert counting == ["STA to ok-1", "END to ok-1"]


def test_a_clock_that_is_ahead_silences_no_later_start(rows: None, counting: list[str]) -> None:
    ahead = timezone.now() + dt.timedelta(hours=2)
    for kind, moment in (("STA", ahead), ("END", ahead), ("STA", None)):
        notify(kind, type=kind, incident_key="y", timestamp=moment)
        dispatch()
        deliver("counting", worker="me")
    assert counting == ["STA to ok-1", "END to ok-1", "STA to ok-1"]
