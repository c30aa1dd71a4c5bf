"""A batch: sent, recorded, isolated, in few queries."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from django.db import InterfaceError, OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier.delivering import batch, sending
from notifier.delivering.claiming import claim_deliveries
from notifier.delivering.recording import record
from notifier.delivering.sending import deliver
from notifier.models import Attempt, Delivery, DestinationConfig, Event, Gate, Incident
from tests.integration.conftest import AddDelivery
from tests.plugins import SECRET, Counting
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


def states() -> dict[str, int]:
    """Return how many rows are in each state."""
    found: dict[str, int] = {}
    for state in Delivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def test_every_ending_is_recorded_with_its_attempt(
    add_delivery: AddDelivery, queue: RecordingQueue, counting: list[str]
) -> None:
    for address in ("ok-1", "busy-1", "never-1", "bug-1", "later-1"):
        add_delivery(address)
    assert deliver("counting", worker="me") == {"sent": 1, "deferred": 3, "failed": 1}
    rows = {
        row.destination.settings["address"]: row
        for row in Delivery.objects.select_related("destination")
        if row.destination
    }
    assert counting == ["event 1 to ok-1"]
    assert {name: (row.state, row.reason, row.attempts) for name, row in rows.items()} == {
        "ok-1": ("sent", "", 1),
        "busy-1": ("pending", "server_error", 1),
        "never-1": ("failed", "rejected", 1),
        "bug-1": ("pending", "bug", 1),
        "later-1": ("pending", "rate_limited", 0),
    }
    attempts = Attempt.objects.values_list("delivery", "number", "outcome", "answer", "worker")
    assert set(attempts) == {
        (rows["ok-1"].pk, 1, "sent", "fine", "me"),
        (rows["busy-1"].pk, 1, "temporary", "503", "me"),
        (rows["never-1"].pk, 1, "permanent", "no", "me"),
        (rows["bug-1"].pk, 1, "temporary", "RuntimeError", "me"),
        (rows["later-1"].pk, 1, "temporary", "slow down", "me"),
    }


@pytest.mark.parametrize("others", [0, 3])
def test_what_can_not_be_decrypted_waits_for_its_key_and_holds_up_nobody(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    counting: list[str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    *,
    others: int,
) -> None:
    lost, fine = settings.NOTIFIER_ENCRYPTION_KEYS, Fernet.generate_key().decode()
    row = add_delivery("ok-lost")
    settings.NOTIFIER_ENCRYPTION_KEYS = [fine]
    for _ in range(others):
        add_delivery(event=row.event)
    assert deliver("counting", worker="me") == {"sent": others, "deferred": 1, "failed": 0}
    row.refresh_from_db()
    assert (row.state, row.reason, row.attempts) == ("pending", "unreadable", 0)
    answer = Attempt.objects.get(delivery=row).answer
    assert answer.startswith("no key of NOTIFIER_ENCRYPTION_KEYS opens these settings")
    assert f"delivery {row.pk}: {answer}" in caplog.messages
    assert not Gate.objects.exclude(failures=0, trips=0).exists()

    settings.NOTIFIER_ENCRYPTION_KEYS = [fine, *lost]
    Delivery.objects.filter(pk=row.pk).update(due_at=timezone.now())
    assert deliver("counting", worker="me")["sent"] == 1
    assert counting[-1].endswith("to ok-lost")


def test_a_missing_key_uses_no_attempts_up(
    add_delivery: AddDelivery, queue: RecordingQueue, settings: Settings
) -> None:
    row = add_delivery(attempts=len(Counting.RETRY_DELAYS))
    settings.NOTIFIER_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert deliver("counting", worker="me")["deferred"] == 1
    row.refresh_from_db()
    assert row.state == "pending"
    assert row.due_at - timezone.now() > dt.timedelta(minutes=4)


def test_a_temporary_failure_is_due_again_by_schedule(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    row = add_delivery("busy-1", attempts=1)
    deliver("counting", worker="me")
    row.refresh_from_db()
    wait = (row.due_at - timezone.now()).total_seconds()
    assert 23 < wait <= 36  # the second delay is 30 s ± 20 %


def test_used_up_attempts_end_as_failed_with_the_last_reason(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    row = add_delivery("busy-1", attempts=len(Counting.RETRY_DELAYS))
    assert deliver("counting", worker="me") == {"sent": 0, "deferred": 0, "failed": 1}
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", "server_error")
    assert row.finished_at


@pytest.mark.parametrize(("medium", "sent"), [("forgetful", 3), ("unopenable", 0)])
def test_a_medium_that_breaks_off_leaves_no_row_behind(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    caplog: pytest.LogCaptureFixture,
    medium: str,
    sent: int,
) -> None:
    for _ in range(3):
        add_delivery(medium=medium)
    assert deliver(medium, worker="me") == {"sent": sent, "deferred": 3 - sent, "failed": 0}
    assert not Delivery.objects.filter(state="pending").exclude(reason="bug").exists()
    assert SECRET not in caplog.text


def test_a_medium_that_babbles_is_believed_once_for_each_destination(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    for _ in range(2):
        add_delivery(medium="babbling")
    assert deliver("babbling", worker="me") == {"sent": 2, "deferred": 0, "failed": 0}
    assert Attempt.objects.count() == 2


def test_a_bug_is_logged_with_its_frames_and_without_its_text(
    add_delivery: AddDelivery, queue: RecordingQueue, caplog: pytest.LogCaptureFixture
) -> None:
    add_delivery("bug-1")
    deliver("counting", worker="me")
    [record_] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "plugins.py" in record_.getMessage()
    assert "RuntimeError" in record_.getMessage()
    assert SECRET not in caplog.text


def test_what_need_not_be_sent_is_cancelled_with_a_reason(
    add_delivery: AddDelivery, queue: RecordingQueue, counting: list[str]
) -> None:
    disabled = add_delivery("ok-1")
    DestinationConfig.objects.update(disabled_at=timezone.now(), disabled_reason="gone")
    assert deliver("counting", worker="me") == {
        "sent": 0,
        "deferred": 0,
        "failed": 0,
        "cancelled": 1,
    }
    disabled.refresh_from_db()
    assert (disabled.state, disabled.reason) == ("cancelled", "destination_disabled")
    row = add_delivery("ok-2")
    row.user.is_active = False
    row.user.save()
    deliver("counting", worker="me")
    row.refresh_from_db()
    assert (row.state, row.reason) == ("cancelled", "owner_inactive")
    assert counting == []


def test_notifications_off_cancels_instead_of_sending(
    add_delivery: AddDelivery, queue: RecordingQueue, counting: list[str], settings: Settings
) -> None:
    row = add_delivery()
    settings.SEND_NOTIFICATIONS = False
    deliver("counting", worker="me")
    row.refresh_from_db()
    assert (row.state, row.reason, counting) == ("cancelled", "notifications_off", [])


def test_a_full_batch_asks_for_another_worker(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    for _ in range(Counting.BATCH_SIZE + 1):
        add_delivery()
    deliver("counting", worker="me")
    assert queue.delivered == [("counting", [])]
    assert states() == {"sent": Counting.BATCH_SIZE, "pending": 1}


def test_a_finished_row_nudges_its_successor(
    add_delivery: AddDelivery, incident: Incident, queue: RecordingQueue
) -> None:
    add_delivery("ok-x", incident=incident)
    second = add_delivery("ok-x", incident=incident)
    deliver("counting", worker="me")
    assert queue.delivered == [("counting", [second.pk])]


def test_past_its_budget_a_batch_gives_the_rest_back(
    add_delivery: AddDelivery, queue: RecordingQueue, counting: list[str], settings: Settings
) -> None:
    for _ in range(5):
        add_delivery()
    settings.NOTIFIER_BATCH_BUDGET_S = 1e-9  # spent after the first send
    assert deliver("counting", worker="me") == {
        "sent": 1,
        "deferred": 0,
        "failed": 0,
        "released": 4,
    }
    assert counting == ["event 1 to ok-1"]
    assert states() == {"sent": 1, "pending": 4}


def test_outcomes_are_written_while_the_batch_goes_on(
    add_delivery: AddDelivery, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(45):
        add_delivery()
    slices: list[int] = []

    def counted(*arguments: Any) -> Counter[str]:
        slices.append(len(arguments[2]))
        return record(*arguments)

    monkeypatch.setattr(batch, "record", counted)
    deliver("counting", worker="me")
    assert slices == [20, 20, 5]


def test_who_lost_its_lease_writes_nothing_to_the_row(
    add_delivery: AddDelivery, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = add_delivery()

    def steal(*arguments: Any) -> Counter[str]:
        Delivery.objects.update(state="pending", claim_token=None, lease_until=None)
        claim_deliveries("counting", 1)
        return record(*arguments)

    monkeypatch.setattr(batch, "record", steal)
    assert deliver("counting", worker="late")["sent"] == 0
    row.refresh_from_db()
    assert row.state == "sending"
    assert Attempt.objects.get().worker == "late"


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("size", [1, 20, 100])
def test_a_batch_makes_as_many_queries_whatever_its_size(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    *,
    apart: bool,
) -> None:
    monkeypatch.setattr(Counting, "BATCH_SIZE", 100)
    event = None if apart else add_delivery("ok-one").event
    for number in range(size if apart else size - 1):
        add_delivery(event=event, host=f"host-{number}" if apart else "")
    sends: list[int] = []
    captured = CaptureQueriesContext(
        connections["default"]
    )  # this thread's, seen from the sender's
    monkeypatch.setattr(Counting, "send_one", lambda *_: sends.append(len(captured)))
    with captured:
        assert deliver("counting", worker="me")["sent"] == size
    spoken = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    flushes = -(-size // batch.FLUSH_ROWS)
    before = [query["sql"] for query in captured.captured_queries[: sends[0]]]
    # walk, perhaps again for the rest of one user's; lock, update; events, sources, destinations
    assert len([sql for sql in before if "SAVEPOINT" not in sql]) in {6, 7}, before
    # each flush: gates, one update (all were sent), one insert; in the end: release
    assert len(spoken) - 3 * flushes in {7, 8}, spoken


def test_an_end_of_an_incident_costs_one_query_more(
    add_delivery: AddDelivery, queue: RecordingQueue, incident: Incident
) -> None:
    rows = [add_delivery(incident=incident) for _ in range(20)]
    Event.objects.filter(pk__in=[each.event_id for each in rows]).update(type="END")
    with CaptureQueriesContext(connection) as captured:
        deliver("counting", worker="me")
    spoken = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    # the starts before it, and in the end a look for its successor
    assert len(spoken) - 3 in {9, 10}, spoken


def test_rows_of_one_event_share_it(
    add_delivery: AddDelivery, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []

    def render(_self: Counting, event: Event) -> str:
        events.append(event.pk)
        return "text"

    monkeypatch.setattr(Counting, "render", render)
    one, other = add_delivery(), add_delivery()
    for row in (other, one, other):
        add_delivery(event=row.event, host="elsewhere")
    assert deliver("counting", worker="me")["sent"] == 5
    assert Counter(events) <= Counter({one.event_id: 2, other.event_id: 2})


def test_what_is_deleted_after_the_claim_is_left_out(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    counting: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, orphan, fine = (add_delivery() for _ in range(3))
    claim = claim_deliveries

    def claimed(*args: Any) -> Any:
        made = claim(*args)
        gone.event.delete()
        assert orphan.destination
        orphan.destination.delete()
        return made

    monkeypatch.setattr(sending, "claim_deliveries", claimed)
    assert deliver("counting", worker="me") == {
        "sent": 1,
        "deferred": 0,
        "failed": 0,
        "cancelled": 1,
    }
    assert counting == ["event 3 to ok-3"]
    orphan.refresh_from_db()
    assert (orphan.state, orphan.reason) == ("cancelled", "destination_deleted")
    fine.refresh_from_db()
    assert fine.state == "sent"


def test_what_was_sent_is_recorded_once_the_database_is_back(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    counting: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_delivery()
    away = iter([OperationalError(), InterfaceError()])

    def flaky(*arguments: Any) -> Counter[str]:
        if error := next(away, None):
            raise error
        return record(*arguments)

    monkeypatch.setattr(batch, "record", flaky)
    monkeypatch.setattr(batch, "RECORD_PAUSE_S", 0)
    monkeypatch.setattr(connection, "close", lambda: None)  # it holds this test's transaction
    assert deliver("counting", worker="me")["sent"] == 1
    assert counting == ["event 1 to ok-1"]
    assert states() == {"sent": 1}


def test_a_database_that_stays_away_ends_the_task_before_it_is_killed(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    add_delivery()

    def away(*_arguments: Any) -> Counter[str]:
        raise OperationalError

    monkeypatch.setattr(batch, "record", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    settings.NOTIFIER_HARD_TIME_LIMIT_S = 0.6
    with pytest.raises(OperationalError):
        deliver("counting", worker="me")
    assert states() == {"sending": 1}  # its lease brings it back


def test_a_user_deleted_meanwhile_spoils_no_other_row(
    add_delivery: AddDelivery,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [add_delivery() for _ in range(3)]

    def delete(*arguments: Any) -> Counter[str]:
        Delivery.objects.filter(pk=rows[1].pk).delete()
        return record(*arguments)

    monkeypatch.setattr(Counting, "send_one", lambda *_: "a NUL: \0")
    monkeypatch.setattr(batch, "record", delete)
    assert deliver("counting", worker="me")["sent"] == 2
    assert states() == {"sent": 2}
    assert {each.answer for each in Attempt.objects.all()} == {"a NUL: "}
