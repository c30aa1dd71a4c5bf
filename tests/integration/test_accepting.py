"""Accepting: the laws that hold for every way in."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.errors import ConflictingEvent, InvalidEvent
from notifier.ids import event_id_for
from notifier.intake.accepting import Accepted, accept
from notifier.intake.schema import EventIn, parse_event
from notifier.models import Event, Incident, Source
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def event(description: str = "Disk full", **fields: Any) -> EventIn:
    return parse_event({"description": description, **fields})


def of_incident(kind: str, minute: int = 0, **fields: Any) -> EventIn:
    """Return an event of incident db1 that happened at 12:<minute>."""
    timestamp = f"2026-03-01T12:{minute:02}:00Z"
    return event(type=kind, incident_key="db1", timestamp=timestamp, **fields)


def play(source: Source, *events: EventIn) -> Incident:
    """Accept events one by one and return their incident."""
    for each in events:
        accept([each], source)
    return Incident.objects.get()


def at_once(number: int, work: Callable[[int], object]) -> list[object]:
    """Run threads that start together, and return what each returned or raised."""
    start = threading.Barrier(number)
    results: list[object] = [None] * number

    def run(index: int) -> None:
        start.wait()
        try:
            results[index] = work(index)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# repeats


def test_the_same_event_twice_is_one(source: Source) -> None:
    first, second = (accept([event(source_event_id="4711")], source)[0] for _ in range(2))
    assert (first.repeated, second.repeated) == (False, True)
    assert first.id == second.id == event_id_for("shop", "4711")
    assert Event.objects.get().pk == first.id


def test_twice_in_one_list_it_is_one_as_well(source: Source) -> None:
    same = event(source_event_id="4711", incident_key="db1")
    accepted = accept([same, event(), same], source)
    assert [each.repeated for each in accepted] == [False, False, True]
    assert accepted[0].id == accepted[2].id
    assert Event.objects.count() == 2
    assert Incident.objects.get().last_sequence == 1


def test_events_without_a_name_are_never_repeats(source: Source) -> None:
    accepted = accept([event(), event()], source)
    assert len({each.id for each in accepted}) == 2
    assert Event.objects.count() == 2


def test_another_body_under_the_same_id_is_a_conflict(source: Source) -> None:
    accept([event(source_event_id="4711", incident_key="db1")], source)
    with pytest.raises(ConflictingEvent) as refused:
        accept([event(source_event_id="4711", incident_key="db1", level=1)], source)
    assert refused.value.event_id == event_id_for("shop", "4711")
    assert Event.objects.get().level == 5
    assert Incident.objects.get().last_sequence == 1


def test_two_bodies_under_one_id_in_a_list_are_a_conflict(source: Source) -> None:
    with pytest.raises(ConflictingEvent):
        accept([event(source_event_id="4711"), event(source_event_id="4711", tags=["a=b"])], source)
    assert not Event.objects.exists()


def test_the_same_name_at_two_sources_is_two_events(source: Source) -> None:
    bank = Source.objects.create(name="bank")
    same = event(source_event_id="4711")
    assert accept([same], source)[0].id != accept([same], bank)[0].id
    assert Event.objects.count() == 2


def test_a_repeat_changes_no_incident(source: Source) -> None:
    start = of_incident("STA", source_event_id="1")
    incident = play(source, start, of_incident("END", 1), start)
    assert (incident.open, incident.last_sequence) == (False, 2)


def test_given_ids_make_unnamed_events_repeatable(source: Source) -> None:
    own = uuid.uuid4()
    first, second = (accept([event()], source, ids=[own])[0] for _ in range(2))
    assert first == Accepted(own, repeated=False)
    assert second == Accepted(own, repeated=True)


def test_a_given_id_yields_to_the_events_own_name(source: Source) -> None:
    accepted = accept([event(source_event_id="4711")], source, ids=[uuid.uuid4()])[0]
    assert accepted.id == event_id_for("shop", "4711")


@pytest.mark.parametrize("fields", [{}, {"incident_key": "db1"}])
def test_of_two_at_once_one_is_the_repeat(
    transactional_db: None, source: Source, fields: dict[str, Any]
) -> None:
    same = event(source_event_id="4711", **fields)
    for _ in range(5):
        Event.objects.all().delete()
        accepted = at_once(4, lambda _: accept([same], source)[0].repeated)
        assert sorted(map(str, accepted)) == ["False", "True", "True", "True"]
        assert Event.objects.count() == 1


def test_of_two_bodies_at_once_one_is_a_conflict(transactional_db: None, source: Source) -> None:
    def post(index: int) -> object:
        return accept([event(f"body {index}", source_event_id="4711")], source)[0].repeated

    for _ in range(5):
        Event.objects.all().delete()
        results = at_once(2, post)
        assert sorted(type(each).__name__ for each in results) == ["ConflictingEvent", "bool"]
        assert Event.objects.count() == 1


def test_lists_in_opposite_order_do_not_wait_for_each_other(
    transactional_db: None, source: Source
) -> None:
    events = [
        event(f"event {number}", source_event_id=str(number), incident_key=f"key-{number % 7}")
        for number in range(40)
    ]

    def post(index: int) -> object:
        return len(accept(events if index % 2 else events[::-1], source))

    assert at_once(4, post) == [40] * 4
    assert Event.objects.count() == 40


# transactions and the queue


def test_a_list_is_accepted_as_a_whole_or_not_at_all(source: Source, anna: User) -> None:
    with pytest.raises(InvalidEvent, match=r"^\[2\]\.recipients\[0\]: there is no user 'nobody'$"):
        accept([event(), of_incident("STA"), event(recipients=["nobody"])], source)
    accept([event(source_event_id="1")], source)
    with pytest.raises(ConflictingEvent):
        accept([of_incident("STA"), event(source_event_id="1", level=1)], source)
    assert Event.objects.count() == 1
    assert not Incident.objects.exists()


def test_what_is_rolled_back_was_never_there(
    source: Source, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    def fail() -> None:
        with transaction.atomic():
            accept([of_incident("STA")], source)
            raise RuntimeError("the caller's own")

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        fail()
    assert not Event.objects.exists()
    assert not Incident.objects.exists()
    assert queue.dispatched == []


def test_a_list_nudges_the_queue_once(
    source: Source, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        accepted = accept([event(), event()], source)
        assert queue.dispatched == []
    assert queue.dispatched == [each.id for each in accepted]
    assert len(callbacks) == 1


def test_repeats_nudge_nobody(
    source: Source, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    accept([event(source_event_id="1")], source)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        accept([event(source_event_id="1")], source)
    assert callbacks == []


class BrokenQueue(RecordingQueue):
    """A queue with a bug."""

    def dispatch(self, event_ids: object) -> None:  # noqa: ARG002 - the queue's own name for it
        raise RuntimeError("no queue today")


def test_a_broken_queue_does_not_break_the_caller(
    transactional_db: None,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("notifier.intake.accepting.get_queue", BrokenQueue)
    assert accept([event()], source)[0].repeated is False
    assert Event.objects.count() == 1
    assert "no queue today" in caplog.text


# incidents


def test_an_incident_opens_changes_closes_and_reopens(source: Source) -> None:
    accept([of_incident("STA", 0, level=2, details_url="https://example.org/1")], source)
    incident = Incident.objects.get()
    assert (incident.open, incident.acked, incident.level) == (True, False, 2)
    assert (incident.source, incident.incident_key) == (source, "db1")
    assert incident.description == "Disk full"
    assert incident.details_url == "https://example.org/1"
    assert incident.start_time.minute == 0
    assert incident.end_time is None

    incident = play(source, of_incident("CHI", 1, level=1, description="Disk on fire"))
    assert (incident.level, incident.description) == (1, "Disk on fire")

    incident = play(source, of_incident("ACK", 2))
    assert (incident.open, incident.acked) == (True, True)
    assert incident.description == "Disk on fire"

    incident = play(source, of_incident("END", 3))
    assert (incident.open, incident.acked) == (False, True)
    assert incident.end_time is not None
    assert incident.end_time.minute == 3

    incident = play(source, of_incident("REO", 4, level=3))
    assert (incident.open, incident.acked, incident.end_time) == (True, False, None)
    assert incident.level == 3
    assert incident.details_url == "https://example.org/1"

    found = Event.objects.order_by("sequence").values_list("sequence", "open", "acked")
    assert list(found) == [
        (1, True, False),
        (2, True, False),
        (3, True, True),
        (4, False, True),
        (5, True, False),
    ]
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("kind", ["STA", "RES", "REO"])
def test_a_later_start_opens_again(source: Source, kind: str) -> None:
    incident = play(source, of_incident("STA", 0), of_incident("END", 1), of_incident(kind, 2))
    assert incident.open
    assert incident.end_time is None


@pytest.mark.parametrize("kind", ["END", "CLO"])
def test_both_ways_of_ending_close(source: Source, kind: str) -> None:
    assert not play(source, of_incident("STA", 0), of_incident(kind, 1)).open


def test_a_start_that_comes_after_its_end_reopens_nothing(source: Source) -> None:
    incident = play(source, of_incident("END", 5), of_incident("STA", 1))
    assert not incident.open
    assert incident.start_time.minute == 1
    assert incident.end_time is not None
    assert incident.end_time.minute == 5
    start = Event.objects.get(type="STA")
    assert (start.sequence, start.open) == (2, False)


def test_an_end_before_its_start_ends_no_earlier_than_it_began(source: Source) -> None:
    incident = play(source, of_incident("STA", 5), of_incident("END", 1))
    assert incident.end_time == incident.start_time


def test_another_event_changes_nothing_of_the_incident(source: Source) -> None:
    incident = play(source, of_incident("STA", 0, level=2), of_incident("OTH", 1, level=1))
    assert (incident.open, incident.level) == (True, 2)


def test_a_second_start_while_open_keeps_the_acknowledgement(source: Source) -> None:
    incident = play(source, of_incident("STA"), of_incident("ACK", 1), of_incident("STA", 2))
    assert incident.acked


def test_each_source_has_its_own_incident_of_a_key(source: Source) -> None:
    bank = Source.objects.create(name="bank")
    accept([of_incident("STA")], source)
    accept([of_incident("STA")], bank)
    assert Incident.objects.filter(incident_key="db1").count() == 2


def test_one_list_may_touch_several_incidents(source: Source) -> None:
    keys = ["b", "a", "b", "c", "b"]
    accept(
        [event(f"event {n}", incident_key=key, type="CHI") for n, key in enumerate(keys)], source
    )
    assert dict(Incident.objects.values_list("incident_key", "last_sequence")) == {
        "a": 1,
        "b": 3,
        "c": 1,
    }
    in_order = Event.objects.filter(incident__incident_key="b").order_by("sequence")
    assert [each.description for each in in_order] == ["event 0", "event 2", "event 4"]


def test_four_threads_make_one_gapless_sequence(transactional_db: None, source: Source) -> None:
    def post(index: int) -> object:
        for number in range(5):
            accept([event(f"{index}-{number}", incident_key="db1", type="CHI")], source)
        return "done"

    assert at_once(4, post) == ["done"] * 4
    events = Event.objects.order_by("sequence").values_list("sequence", "description")
    assert [sequence for sequence, _ in events] == list(range(1, 21))
    for index in range(4):
        own = [text for _, text in events if text.startswith(f"{index}-")]
        assert own == [f"{index}-{number}" for number in range(5)]
    assert Incident.objects.get().last_sequence == 20


kinds = st.sampled_from(["STA", "END", "CHI", "RES", "CLO", "REO", "ACK", "OTH"])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(st.tuples(kinds, st.integers(0, 59)), min_size=1, max_size=12))
def test_an_incidents_state_is_that_after_its_last_event(
    source: Source, history: list[tuple[str, int]]
) -> None:
    with transaction.atomic():
        incident = play(source, *itertools.starmap(of_incident, history))
        events = list(Event.objects.order_by("sequence"))
        assert [each.sequence for each in events] == list(range(1, len(history) + 1))
        assert (events[-1].open, events[-1].acked) == (incident.open, incident.acked)
        assert incident.open == (incident.end_time is None)
        if incident.end_time:
            assert incident.start_time <= incident.end_time
        transaction.set_rollback(True)
