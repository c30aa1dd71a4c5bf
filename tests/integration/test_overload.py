"""Overload: what the HTTP intake still takes, and what it costs to know."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier.diagnosing import diagnose
from notifier.intake import overload
from notifier.intake.ingesting import ingest
from notifier.intake.notifying import notify
from notifier.models import Delivery, Event, Gate, Source, SourceToken
from tests.integration.conftest import AddDelivery, add_event

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

URL = "/api/v1/events"
ROUTINE = {"description": "Disk full", "level": 2}
CRITICAL = {"description": "On fire", "level": 1}

Post = Callable[..., Any]


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which a look at the backlog gets old, and a process that has not looked yet."""
    clock = Clock()
    monkeypatch.setattr(overload, "time", clock)
    monkeypatch.setattr(overload, "watch", overload.Watch())
    return clock


@pytest.fixture
def post(client: Client, source: Source, clock: Clock) -> Post:
    """Post a body with the shop's token."""
    headers = {"Authorization": f"Bearer {SourceToken.issue(source)}"}

    def send(body: object) -> Any:
        raw = json.dumps(body)
        return client.post(URL, raw, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def overloaded(source: Source, settings: Settings) -> None:
    """Three events wait where two may."""
    settings.NOTIFIER_MAX_WAITING = 2
    wait(source, 3)


def wait(source: Source, count: int) -> None:
    """Let so many events wait to be matched."""
    for number in range(count):
        event = add_event(source, number)
        Event.objects.filter(pk=event.pk).update(state="accepted")


def test_a_routine_event_is_refused_with_the_time_to_come_again(
    post: Post, overloaded: None
) -> None:
    answer = post(ROUTINE)
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["title"]) == (503, "Overloaded")
    assert "only critical events" in body["detail"]
    assert Event.objects.count() == 3


def test_what_waits_may_reach_the_limit(post: Post, source: Source, settings: Settings) -> None:
    settings.NOTIFIER_MAX_WAITING = 3
    wait(source, 3)
    assert post(ROUTINE).status_code == 202


def test_a_critical_event_is_taken_and_its_list_as_a_whole(post: Post, overloaded: None) -> None:
    assert post(CRITICAL).status_code == 202
    assert post([ROUTINE, CRITICAL]).status_code == 202
    assert post([ROUTINE, ROUTINE]).status_code == 503
    assert Event.objects.count() == 6


def test_repeats_are_answered_as_ever(
    post: Post, source: Source, settings: Settings, clock: Clock
) -> None:
    first, second = ({**ROUTINE, "source_event_id": own} for own in "12")
    post(first)
    settings.NOTIFIER_MAX_WAITING = 2
    wait(source, 3)
    clock.now += overload.LOOK_INTERVAL_S
    assert post(first).status_code == 200
    assert post([first, first]).status_code == 200
    assert post({**first, "level": 3}).status_code == 409
    assert post(second).status_code == 503
    assert post([first, second]).status_code == 503


def test_due_deliveries_count_and_later_ones_do_not(
    post: Post, add_delivery: AddDelivery, settings: Settings, clock: Clock
) -> None:
    settings.NOTIFIER_MAX_WAITING = 2
    for _ in range(3):
        add_delivery(due_at=timezone.now() + dt.timedelta(hours=1))
    assert post(ROUTINE).status_code == 202
    Delivery.objects.update(due_at=timezone.now() - dt.timedelta(hours=1))
    clock.now += 2
    assert post(ROUTINE).status_code == 503


@pytest.mark.parametrize(
    ("gate", "counts"),
    [
        ({"host": "mail.example", "trips": 1}, False),
        ({"paused": True}, False),
        ({"host": "other.example", "trips": 1}, True),
        ({"medium": "email", "paused": True}, True),
        ({"host": "mail.example", "closed_until": timezone.now() + dt.timedelta(hours=1)}, True),
    ],
)
def test_what_waits_for_a_broken_host_is_nobody_elses_overload(
    add_delivery: AddDelivery, settings: Settings, gate: dict[str, Any], counts: bool
) -> None:
    settings.NOTIFIER_MAX_WAITING = 2
    for _ in range(3):
        add_delivery(host="mail.example")
    Gate.objects.create(**{"medium": "counting", **gate})
    assert overload.look().too_long is counts


def test_it_takes_everything_again_once_the_backlog_is_gone(
    post: Post, overloaded: None, clock: Clock
) -> None:
    assert post(ROUTINE).status_code == 503
    Event.objects.update(state="dispatched")
    assert post(ROUTINE).status_code == 503  # as seen within the last second
    clock.now += overload.LOOK_INTERVAL_S
    assert post(ROUTINE).status_code == 202


def test_no_other_way_in_ever_refuses(overloaded: None, clock: Clock) -> None:
    notify("routine", source="shop", level=5)
    assert ingest({**ROUTINE, "source": "shop"}, "a message")["accepted"] == 1


# what it costs


def looks(captured: CaptureQueriesContext) -> int:
    """Return how many queries counted what waits."""
    return sum("COUNT(*)" in query["sql"] and "LIMIT 3" in query["sql"] for query in captured)


def test_the_backlog_is_looked_at_once_a_second_and_for_routine_alone(
    post: Post, overloaded: None, clock: Clock
) -> None:
    with CaptureQueriesContext(connection) as captured:
        post(CRITICAL)
        assert looks(captured) == 0
        for _ in range(5):
            post(ROUTINE)
        assert looks(captured) == 2  # events, deliveries
        clock.now += overload.LOOK_INTERVAL_S
        post(ROUTINE)
        assert looks(captured) == 4


def test_a_refusal_costs_no_more_queries_than_the_token_and_the_look_up_of_repeats(
    post: Post, overloaded: None
) -> None:
    post(ROUTINE)
    for body, count in ((ROUTINE, 1), ({**ROUTINE, "source_event_id": "1"}, 2)):
        with CaptureQueriesContext(connection) as captured:
            assert post(body).status_code == 503
        assert len(captured) == count


def test_a_look_that_takes_long_holds_long(
    post: Post, overloaded: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def slow() -> overload.Backlog:
        clock.now += 0.5
        seen.append(clock.now)
        return overload.Backlog(0, 0)

    monkeypatch.setattr(overload, "look", slow)
    for _ in range(20):
        post(ROUTINE)
        clock.now += 1
    assert len(seen) == 2  # 0.5 s each in 20 s


def test_while_one_thread_looks_the_others_go_by_what_it_saw_last(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = overload.Watch()
    looking, finish = threading.Event(), threading.Event()
    answers = iter([overload.Backlog(1, 0), overload.Backlog(2, 0)])

    def look() -> overload.Backlog:
        found = next(answers)
        if found.events == 2:
            looking.set()
            assert finish.wait(10)
        return found

    monkeypatch.setattr(overload, "look", look)
    assert watch.backlog().events == 1
    clock.now += 5
    other = threading.Thread(target=watch.backlog)
    other.start()
    assert looking.wait(10)
    assert watch.backlog().events == 1
    finish.set()
    other.join()
    assert watch.backlog().events == 2


def test_the_look_reads_no_further_than_the_limit(overloaded: None, source: Source) -> None:
    wait(source, 10)
    assert overload.look() == overload.Backlog(3, 0)


@pytest.mark.parametrize("table", ["event", "delivery"])
def test_the_look_goes_by_the_partial_index(overloaded: None, table: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        overload.look()
    [query] = [each["sql"] for each in captured if f'FROM "notifier_{table}"' in each["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # so few rows need no index
            cursor.execute(f"EXPLAIN {query}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {query}")
        plan = str(cursor.fetchall())
    assert {"event": "event_waiting", "delivery": "delivery_walk"}[table] in plan


# where it shows


def test_it_stays_ready_and_says_so(client: Client, overloaded: None, clock: Clock) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["backlog"] == (
        "more than 2 events or deliveries wait (NOTIFIER_MAX_WAITING): HTTP takes critical events only"
    )


def test_the_doctor_says_so(source: Source, settings: Settings) -> None:
    def finding() -> tuple[bool, str]:
        [found] = [each for each in diagnose() if each.subject == "backlog"]
        return found.well, found.sentence

    settings.NOTIFIER_MAX_WAITING = 2
    wait(source, 1)
    assert finding() == (True, "1 events wait to be matched, 0 deliveries are due")
    wait(source, 2)
    assert finding()[0] is False


def test_the_description_of_the_api_has_it(client: Client) -> None:
    described = client.get("/api/v1/openapi.json").json()["paths"][URL]["post"]["responses"]["503"]
    assert "none of the events is critical" in described["description"]
    assert described["headers"]["Retry-After"]["schema"] == {"type": "integer"}
    assert described["content"]["application/problem+json"]["schema"]
