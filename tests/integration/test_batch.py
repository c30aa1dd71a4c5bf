"""A batch: what hangs or breaks off costs no other row its record."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DataError, connection, transaction

from notifier.delivering import batch, feeding
from notifier.delivering.recording import record
from notifier.delivering.sending import deliver
from notifier.errors import PermanentError, Reason, TemporaryError
from notifier.limits import Full, Limit
from notifier.media.base import Destination, Outcome, Status
from notifier.models import Attempt, Delivery, Gate
from tests.integration.conftest import AddDelivery
from tests.plugins import Counting
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.usefixtures("queue")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> threading.Event:
    """Make the medium hang at the address `hang-…` until the event is set."""
    settings.NOTIFIER_SEND_TIMEOUT_S = 0.3
    settings.NOTIFIER_FLUSH_INTERVAL_S = 0.1
    released = threading.Event()

    def send_one(_self: Counting, _message: str, destination: Destination, _session: Any) -> str:
        if destination.settings["address"].startswith("hang"):
            released.wait(20)
        Counting.sent.append(destination.settings["address"])
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)
    return released


def states() -> list[str]:
    """Return the rows' states, in order."""
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def test_what_ignores_its_time_limit_keeps_its_own_row_alone(
    add_delivery: AddDelivery, hanging: threading.Event
) -> None:
    for address in ("ok-1", "ok-2", "hang-1", "ok-3"):
        add_delivery(address)
    try:
        assert deliver("counting", worker="me") == {
            "sent": 2,
            "deferred": 0,
            "failed": 0,
            "released": 1,
            "hung": 1,
        }
        assert states() == ["sent", "sent", "sending", "pending"]
    finally:
        hanging.set()


def test_what_ends_after_all_while_the_batch_does_is_not_given_back(
    add_delivery: AddDelivery,
    hanging: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    settings.NOTIFIER_FLUSH_INTERVAL_S = 60

    class Late(batch.Batch):
        def _flush(self) -> None:  # once, at the end
            super()._flush()
            hanging.set()
            [sender] = self._senders
            sender.join(10)

    monkeypatch.setattr("notifier.delivering.sending.Batch", Late)
    add_delivery("hang-1")
    assert deliver("counting", worker="me")["hung"] == 1
    assert Counting.sent == ["hang-1"]
    assert states() == ["sending"]  # for its lease: given back, it would be sent again


def test_what_has_ended_is_kept_until_it_can_be_recorded(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[int]] = []

    class Watched(batch.Outbox):
        def put(self, delivery: Delivery, outcome: Outcome) -> None:
            sender = threading.current_thread()
            assert isinstance(sender, batch.Sender)
            begun.append(sender.unanswered)
            super().put(delivery, outcome)

    monkeypatch.setattr(batch, "Outbox", Watched)
    row = add_delivery("ok-1")
    assert deliver("counting", worker="me")["sent"] == 1
    assert begun == [[row.pk]]


def test_outcomes_are_written_while_another_send_hangs(
    add_delivery: AddDelivery, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "CONCURRENCY", 2)
    for address in ("hang-1", *(f"ok-{n}" for n in range(5))):
        add_delivery(address)
    try:
        counts = deliver("counting", worker="me")
        assert (counts["sent"], counts["hung"]) == (5, 1)
    finally:
        hanging.set()


def test_threads_send_side_by_side_and_the_database_is_this_threads_alone(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(4, timeout=10)
    threads: set[str] = set()

    def send_one(_self: Counting, _message: str, _destination: Destination, _session: Any) -> str:
        together.wait()
        threads.add(threading.current_thread().name)
        assert connection.connection is None  # a connection is a thread's own
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)
    monkeypatch.setattr(Counting, "CONCURRENCY", 4)
    for _ in range(8):
        add_delivery()
    assert deliver("counting", worker="me")["sent"] == 8


def test_fast_sends_need_one_thread(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []

    class Watched(batch.Sender):
        def start(self) -> None:
            started.append(self)
            super().start()

    monkeypatch.setattr(batch, "Sender", Watched)
    monkeypatch.setattr(Counting, "CONCURRENCY", 4)
    monkeypatch.setattr(batch, "HELP_AFTER_S", 60)
    for _ in range(8):
        add_delivery()
    assert deliver("counting", worker="me")["sent"] == 8
    assert len(started) == 1


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_whatever_a_plugin_raises_touches_its_own_row_alone(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def send_one(_self: Counting, _message: str, destination: Destination, _session: Any) -> str:
        if destination.settings["address"] == "bad":
            raise error
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)
    for address in ("ok-1", "bad", "ok-2"):
        add_delivery(address)
    assert deliver("counting", worker="me") == {"sent": 2, "deferred": 1, "failed": 0}
    assert Delivery.objects.get(state="pending").reason == "bug"


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (PermanentError("no such user"), "failed"),  # type: ignore[arg-type] # as plugins do
        (TemporaryError("later", retry_after="30"), "pending"),  # type: ignore[arg-type]
        (TemporaryError(Reason.REJECTED, 5), "pending"),  # type: ignore[arg-type]
        (TemporaryError(Reason.REJECTED, "half a pair: \ud800"), "pending"),
    ],
)
def test_odd_words_of_a_plugin_are_recorded_all_the_same(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch, error: Exception, ends: str
) -> None:
    def send_one(_self: Counting, _message: str, destination: Destination, _session: Any) -> str:
        if destination.settings["address"] == "odd":
            raise error
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)
    for address in ("ok-1", "odd", "ok-2"):
        add_delivery(address)
    counts = deliver("counting", worker="me")
    assert counts["sent"] == 2
    assert states() == ["sent", ends, "sent"]
    assert Attempt.objects.filter(reason__in=("bug", "rejected")).count() == 1


@pytest.mark.parametrize(
    ("odd", "ends"),
    [
        ({"status": "sent"}, "sent"),
        ({"status": "so so"}, "pending"),
        ({"duration_s": float("nan")}, "sent"),
        ({"duration_s": "long"}, "sent"),
        ({"started_at": None}, "sent"),
        ({"started_at": dt.datetime(2026, 1, 1)}, "sent"),  # noqa: DTZ001 - as plugins do
        ({"status": Status.TEMPORARY, "retry_after_s": float("nan")}, "pending"),
    ],
)
def test_odd_outcomes_of_a_plugin_are_recorded_all_the_same(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any], ends: str
) -> None:
    send = Counting.send

    def sending(self: Counting, *args: Any, session: Any = None) -> Iterator[Outcome]:
        for outcome in send(self, *args, session=session):
            mine = outcome.destination.settings["address"] == "odd"
            yield replace(outcome, **odd) if mine else outcome

    monkeypatch.setattr(Counting, "send", sending)
    for address in ("ok-1", "odd", "ok-2"):
        add_delivery(address)
    deliver("counting", worker="me")
    assert states() == ["sent", ends, "sent"]
    assert Attempt.objects.count() == 3


@pytest.mark.parametrize("answer", [None, [], object(), "half a pair: \ud800"])
def test_what_was_sent_with_an_odd_answer_is_sent(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(Counting, "send_one", lambda *_: answer)
    add_delivery()
    assert deliver("counting", worker="me")["sent"] == 1


def test_a_session_that_hangs_as_it_ends_holds_up_no_batch(
    add_delivery: AddDelivery, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def session(_self: Counting) -> Iterator[None]:
        yield
        hanging.wait(20)

    monkeypatch.setattr(Counting, "session", session)
    add_delivery()
    try:
        start = time.monotonic()
        assert deliver("counting", worker="me")["sent"] == 1
        assert time.monotonic() - start < 10
    finally:
        hanging.set()


def test_a_plugin_that_takes_all_before_it_sends_any_is_given_twenty(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    send = Counting.send

    def greedy(self: Counting, event: Any, destinations: Any, *, session: Any = None) -> Any:
        listed = list(destinations)
        taken.append(len(listed))
        return send(self, event, listed, session=session)

    monkeypatch.setattr(Counting, "send", greedy)
    event = add_delivery().event
    for _ in range(24):
        add_delivery(event=event)
    assert deliver("counting", worker="me")["sent"] == 25
    assert taken == [20, 5]


def test_no_more_than_a_slice_is_ever_sent_and_not_recorded(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch, counting: list[str]
) -> None:

    recorded = [0]
    most = [0]

    def slow(*arguments: Any) -> Any:
        time.sleep(0.05)  # the senders would run ahead
        most[0] = max(most[0], len(counting) - recorded[0])
        recorded[0] += len(arguments[2])
        return record(*arguments)

    monkeypatch.setattr(batch, "record", slow)
    for _ in range(50):
        add_delivery()
    deliver("counting", worker="me")
    assert recorded == [50]
    assert most[0] == 20


def test_what_the_database_refuses_costs_no_other_row_its_record(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:

    odd = add_delivery()
    others = [add_delivery() for _ in range(3)]

    def picky(*arguments: Any) -> Any:
        if odd in [delivery for delivery, _ in arguments[2]]:
            raise DataError
        with transaction.atomic():
            return record(*arguments)

    monkeypatch.setattr(batch, "record", picky)
    assert deliver("counting", worker="me")["sent"] == len(others)
    assert Attempt.objects.count() == len(others)
    odd.refresh_from_db()
    assert (
        odd.state == "sending"
    )  # until its lease ends: it was sent, and must not be at once again


def test_a_worker_that_is_to_stop_starts_no_new_send(
    add_delivery: AddDelivery, counting: list[str]
) -> None:
    for _ in range(5):
        add_delivery()
    counts = deliver("counting", worker="me", stopping=lambda: len(counting) >= 2)
    assert counts == {"sent": 2, "deferred": 0, "failed": 0, "released": 3}


@pytest.mark.parametrize(
    ("level", "gate", "overtakes"),
    [
        (1, {}, True),
        (2, {}, True),
        (3, {}, False),
        (4, {}, False),
        (1, {"host": "closed", "paused": True}, False),
    ],
)
def test_a_batch_on_its_way_makes_way_for_what_is_more_urgent(  # noqa: PLR0917
    add_delivery: AddDelivery,
    monkeypatch: pytest.MonkeyPatch,
    counting: list[str],
    level: int,
    gate: dict[str, Any],
    overtakes: bool,
    queue: RecordingQueue,
) -> None:
    monkeypatch.setattr(batch, "LOOK_EVERY_S", 0)
    for _ in range(50):
        add_delivery()
    if gate:
        Gate.objects.create(medium="counting", **gate)

    def recording(*arguments: Any) -> Any:
        if not Delivery.objects.exclude(urgency=3).exists() and not counting[20:]:
            add_delivery(f"ok-{level}", level=level, host=gate.get("host", ""))
        return record(*arguments)

    monkeypatch.setattr(batch, "record", recording)
    counts = deliver("counting", worker="me")
    if not overtakes:
        assert counts["sent"] == 50
        return
    assert counts["sent"] < 50
    assert counts["sent"] + counts["released"] == 50
    assert queue.delivered  # the next batch is asked for
    before = len(counting)
    deliver("counting", worker="me")
    assert counting[before] == f"event 51 to ok-{level}"


def test_a_look_for_what_is_more_urgent_is_rare(
    add_delivery: AddDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(batch, "most_urgent_of", looks.append)
    monkeypatch.setattr(batch, "LOOK_EVERY_S", 3600)
    for _ in range(50):
        add_delivery()
    assert deliver("counting", worker="me")["sent"] == 50
    assert not looks


class Clock:
    """Time that passes in sleep alone."""

    now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


class OneByOne:
    """A limiter that lets one through each so many seconds."""

    def __init__(self, wait_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self.wait_s = wait_s
        self.now = now
        self.next = 0.0
        self.keys: set[str] = set()

    def take(self, limits: list[Limit]) -> Full | None:
        """Count by the clock."""
        now = self.now()
        self.keys |= {limit.key for limit in limits}
        if now < self.next:
            return Full(limits[0].key, self.next - now)
        self.next = now + self.wait_s
        return None


def test_a_send_waits_for_its_turn_within_the_batch(
    add_delivery: AddDelivery, settings: Settings
) -> None:
    settings.NOTIFIER_RATE_LIMITS = {"counting": {"medium": "20/s"}}
    limiter = OneByOne(0.05)
    for _ in range(5):
        add_delivery()
    start = time.monotonic()
    assert deliver("counting", worker="me", limiter=limiter)["sent"] == 5  # type: ignore[arg-type]
    assert time.monotonic() - start >= 0.2
    assert limiter.keys == {"counting:medium::0"}


def test_after_a_second_of_waiting_the_next_batch_has_its_turn(
    add_delivery: AddDelivery,
    settings: Settings,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.NOTIFIER_RATE_LIMITS = {"counting": {"medium": "3/s"}}
    clock = Clock()
    monkeypatch.setattr(feeding, "time", clock)
    for _ in range(10):
        add_delivery()
    counts = deliver("counting", worker="me", limiter=OneByOne(0.3, clock.monotonic))  # type: ignore[arg-type]
    assert clock.now == pytest.approx(1000.9)
    assert counts["sent"] == 4
    assert counts["released"] == 6
    assert queue.delivered  # and that is asked for


def test_a_turn_that_comes_within_the_batch_is_taken(
    add_delivery: AddDelivery, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFIER_RATE_LIMITS = {"counting": {"destination": "1/2s"}}
    limiters: dict[str, OneByOne] = {}

    class PerDestination(OneByOne):
        def take(self, limits: list[Limit]) -> Full | None:
            return limiters.setdefault(limits[0].key, OneByOne(1.2)).take(limits)

    def send_one(_self: Counting, _message: str, _destination: Destination, _session: Any) -> str:
        time.sleep(0.15)
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)
    for address in ("ok-x", "ok-x", *(f"ok-{number}" for number in range(8))):
        add_delivery(address)
    counts = deliver("counting", worker="me", limiter=PerDestination(0))  # type: ignore[arg-type]
    assert counts["sent"] == 10  # the second to x waited while the others were sent


def test_who_would_have_to_wait_longer_is_given_back_and_the_gate_closed(
    add_delivery: AddDelivery, settings: Settings
) -> None:

    settings.NOTIFIER_RATE_LIMITS = {"counting": {"destination": "1/m"}}
    for address in ("ok-x", "ok-x", "ok-y"):
        add_delivery(address)

    class PerDestination(OneByOne):
        def __init__(self) -> None:
            super().__init__(60)
            self.each: dict[str, OneByOne] = {}

        def take(self, limits: list[Limit]) -> Full | None:
            return self.each.setdefault(limits[0].key, OneByOne(60)).take(limits)

    counts = deliver("counting", worker="me", limiter=PerDestination())  # type: ignore[arg-type]
    assert counts == {"sent": 2, "deferred": 0, "failed": 0, "released": 1}
    gate = Gate.objects.get(destination__isnull=False)
    assert gate.reason == "rate_limited"
    assert Delivery.objects.get(state="pending").attempts == 0


def test_where_nobody_counts_what_has_a_limit_waits(
    add_delivery: AddDelivery, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.NOTIFIER_RATE_LIMITS = {"counting": {"medium": "20/s"}}
    add_delivery()
    assert deliver("counting", worker="me") == {
        "sent": 0,
        "deferred": 0,
        "failed": 0,
        "released": 1,
    }
    assert "what has a limit waits" in caplog.text
