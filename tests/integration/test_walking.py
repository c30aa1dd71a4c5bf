"""The walk agrees with the plain query, and gives everybody their turn."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from notifier.delivering import claiming
from notifier.delivering.claiming import claim_deliveries, due_deliveries
from notifier.delivering.sending import deliver
from notifier.delivering.sweeping import sweep
from notifier.delivering.walking import walk
from notifier.models import Delivery, DestinationConfig, Event, Gate, Incident, Source
from tests.integration.conftest import add_event
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOW = timezone.now()
PAST, FUTURE = NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1)
USERS, EACH = 4, 2


@pytest.fixture
def destinations(django_user_model: type[User], counting: list[str]) -> list[DestinationConfig]:
    """Four users with two destinations each."""
    return [
        DestinationConfig.objects.create(user=user, media_id="counting", settings={"address": a})
        for user in [django_user_model.objects.create_user(f"user{n}") for n in range(USERS)]
        for a in ("ok-1", "ok-2")
    ]


@pytest.fixture
def incidents(source: Source) -> list[Incident]:
    """Two incidents."""
    return [
        Incident.objects.create(source=source, incident_key=key, level=2, start_time=NOW)
        for key in "ab"
    ]


row = st.fixed_dictionaries(
    {
        "destination": st.integers(0, USERS * EACH - 1),
        "urgency": st.integers(1, 5),
        "host": st.sampled_from(["", "a", "b", "c"]),
        "due_at": st.sampled_from([PAST, PAST, PAST, FUTURE]),
        "expires_at": st.sampled_from([None, None, PAST, FUTURE]),
        "incident": st.sampled_from([None, None, 0, 1]),
        "sending": st.booleans(),
    }
)
gate = st.fixed_dictionaries(
    {
        "closed_until": st.sampled_from([None, PAST, FUTURE]),
        "paused": st.sampled_from([False, False, False, True]),
    }
)


def fill(
    rows: list[dict[str, Any]],
    destinations: list[DestinationConfig],
    incidents: list[Incident],
    source: Source,
) -> None:
    """Make the rows of an example."""
    for number, columns in enumerate(rows):
        at = destinations[columns["destination"]]
        incident = None if columns["incident"] is None else incidents[columns["incident"]]
        event = add_event(source, number, incident=incident)
        claimed = {"state": "sending", "claim_token": event.pk, "lease_until": FUTURE}
        Delivery.objects.create(
            event=event,
            destination=at,
            user=at.user,
            medium="counting",
            incident=incident,
            sequence=event.sequence,
            **{name: columns[name] for name in ("urgency", "host", "due_at", "expires_at")},
            **(claimed if columns["sending"] else {}),
        )


@hypothesis(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(row, max_size=25),
    hosts=st.dictionaries(st.sampled_from(["", "a", "b"]), gate, max_size=2),
    closed=st.dictionaries(st.integers(0, USERS * EACH - 1), gate, max_size=2),
    limit=st.integers(1, 10),
)
def test_claim_by_claim_it_finds_what_the_plain_query_finds_each_once(  # noqa: PLR0917
    rows: list[dict[str, Any]],
    hosts: dict[str, dict[str, Any]],
    closed: dict[int, dict[str, Any]],
    limit: int,
    destinations: list[DestinationConfig],
    incidents: list[Incident],
    source: Source,
) -> None:
    for model in (Gate, Delivery, Event):
        model.objects.all().delete()
    fill(rows, destinations, incidents, source)
    for host, columns in hosts.items():
        Gate.objects.create(medium="counting", host=host, **columns)
    for number, columns in closed.items():
        Gate.objects.create(medium="counting", destination=destinations[number], **columns)

    due = sorted(due_deliveries("counting").values_list("pk", flat=True))
    assert sorted(walk("counting", 1000, share=1000).ids) == due
    found: list[int] = []
    while claim := claim_deliveries("counting", limit):
        mine = Delivery.objects.filter(claim_token=claim.token)
        found += mine.values_list("pk", flat=True)
        assert claim.size <= limit
    assert sorted(found) == due


def add_rows(at: DestinationConfig, count: int, source: Source, **columns: Any) -> None:
    """Add so many due rows of one destination."""
    for number in range(count):
        event = add_event(source, number)
        values = {"urgency": 3, "due_at": PAST, **columns}
        Delivery.objects.create(
            event=event, destination=at, user=at.user, medium="counting", **values
        )


def claim(limit: int) -> Counter[str]:
    """Claim, and return how many rows of each user."""
    made = claim_deliveries("counting", limit)
    assert made
    mine = Delivery.objects.filter(claim_token=made.token)
    return Counter(mine.values_list("user__username", flat=True))


def test_one_users_backlog_stands_before_nobody(
    destinations: list[DestinationConfig], source: Source
) -> None:
    add_rows(destinations[0], 50, source)
    for other in destinations[2::2]:
        add_rows(other, 1, source)
    assert claim(10) == {"user0": 7, "user1": 1, "user2": 1, "user3": 1}


def test_users_have_their_turns_over_several_claims(
    destinations: list[DestinationConfig], source: Source
) -> None:
    for each in destinations[::2]:
        add_rows(each, 10, source)
    assert [sorted(claim(2)) for _ in range(4)] == [
        ["user0", "user1"],
        ["user2", "user3"],
    ] * 2


def test_while_more_waits_than_a_claim_takes_it_is_shared_evenly(
    destinations: list[DestinationConfig], source: Source
) -> None:
    for each in destinations[::2]:
        add_rows(each, 30, source)
    assert claim(20) == {"user0": 14, "user1": 2, "user2": 2, "user3": 2}
    assert claim(20) == dict.fromkeys(("user0", "user1", "user2", "user3"), 5)


def test_a_crowd_is_told_of_one_event_at_a_time(
    destinations: list[DestinationConfig], source: Source
) -> None:
    for number in range(20):
        event = add_event(source, number)
        for at in destinations[::2]:
            Delivery.objects.create(
                event=event, destination=at, user=at.user, medium="counting", urgency=3, due_at=PAST
            )
    claim(20)
    made = claim_deliveries("counting", 20)
    assert made
    assert len({each.event_id for each in made.deliveries}) <= 10


def test_urgent_rows_come_first_whosever_turn_it_is(
    destinations: list[DestinationConfig], source: Source
) -> None:
    add_rows(destinations[0], 10, source)
    add_rows(destinations[4], 2, source, urgency=1)
    assert claim(2) == {"user2": 2}


def test_of_a_half_open_host_one_row_tries_and_no_second_worker(
    destinations: list[DestinationConfig], source: Source
) -> None:
    Gate.objects.create(medium="counting", host="a", trips=1, closed_until=PAST)
    for each in destinations:
        add_rows(each, 2, source, host="a")
    add_rows(destinations[2], 1, source, host="b")
    first = claim_deliveries("counting", 10)
    assert first
    hosts = Delivery.objects.filter(claim_token=first.token).values_list("host", flat=True)
    assert sorted(hosts) == ["a", "b"]
    assert claim_deliveries("counting", 10) is None


def test_a_paused_medium_gives_nothing_and_says_so(
    destinations: list[DestinationConfig], source: Source
) -> None:
    add_rows(destinations[0], 1, source, host="a")
    Gate.objects.create(medium="counting", paused=True)
    assert claim_deliveries("counting", 10) is None
    assert not due_deliveries("counting").exists()


def test_behind_more_closed_destinations_than_one_walk_sees_nobody_is_forgotten(
    destinations: list[DestinationConfig],
    source: Source,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for destination in destinations:
        add_rows(destination, 1, source)
        if destination is not destinations[-1]:
            Gate.objects.create(medium="counting", destination=destination, closed_until=FUTURE)
    monkeypatch.setattr("notifier.delivering.walking.MAX_STEPS", 6)
    for _ in range(3):
        queue.delivered.clear()
        sweep()
        if not queue.delivered:
            break
        deliver("counting", worker="me")
    assert Delivery.objects.get(destination=destinations[-1]).state == "sent"


def test_blocked_urgent_rows_hold_back_no_other_urgency(
    destinations: list[DestinationConfig],
    incidents: list[Incident],
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(12):
        event = add_event(source, number, level=1, incident=incidents[0])
        Delivery.objects.create(
            event=event,
            destination=destinations[0],
            user=destinations[0].user,
            medium="counting",
            urgency=1,
            incident=incidents[0],
            sequence=event.sequence,
            due_at=PAST if number else FUTURE,
        )
    add_rows(destinations[2], 1, source)
    monkeypatch.setattr("notifier.delivering.walking.MAX_STEPS", 6)
    found = [claim_deliveries("counting", 10) for _ in range(4)]
    assert [made.size for made in found if made] == [1]


def test_a_walk_that_ends_early_is_gone_on_with(
    destinations: list[DestinationConfig], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each, destination in itertools.product(range(2), destinations):
        add_rows(destination, 1, source, host=str(each))
        if destination is not destinations[-1]:
            Gate.objects.get_or_create(
                medium="counting", destination=destination, closed_until=FUTURE
            )
    monkeypatch.setattr("notifier.delivering.walking.MAX_STEPS", 6)
    walks = []
    for _ in range(12):
        found = walk("counting", 10, share=10, behind=claiming._places.get("counting"))
        if found.place:
            claiming._places["counting"] = found.place
        walks += found.ids
    assert len(set(walks)) == 2
