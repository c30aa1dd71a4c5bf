"""The sweep finds what was forgotten."""

from __future__ import annotations

import datetime as dt
import uuid

from django.utils import timezone

from notifier.delivering.sweeping import MAX_CRASHES, sweep
from notifier.models import Delivery, Heartbeat, Source
from tests.integration.conftest import AddDelivery, add_event
from tests.recording import RecordingQueue

AGO = dt.timedelta(seconds=1)


def claimed_until(moment: dt.datetime) -> dict[str, object]:
    """Return the columns of a claimed row."""
    return {"state": "sending", "claim_token": uuid.uuid4(), "lease_until": moment}


def test_rows_of_a_dead_worker_come_back_to_be_claimed_alone(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    lost = add_delivery(**claimed_until(timezone.now() - AGO))
    held = add_delivery(**claimed_until(timezone.now() + dt.timedelta(minutes=1)))
    assert sweep()["recovered"] == 1
    lost.refresh_from_db()
    held.refresh_from_db()
    assert (lost.state, lost.solo, lost.crashes, lost.claim_token) == ("pending", True, 0, None)
    assert held.state == "sending"


def test_a_row_that_kills_its_worker_again_and_again_ends_as_failed(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    row = add_delivery(solo=True)
    for crash in range(1, MAX_CRASHES + 1):
        Delivery.objects.update(**claimed_until(timezone.now() - AGO))
        sweep()
        row.refresh_from_db()
        assert row.crashes == crash
    assert (row.state, row.reason) == ("failed", "crashed")


def test_expired_rows_are_cancelled(add_delivery: AddDelivery, queue: RecordingQueue) -> None:
    row = add_delivery(expires_at=timezone.now() - AGO)
    add_delivery(expires_at=timezone.now() + dt.timedelta(minutes=1))
    assert sweep()["expired"] == 1
    row.refresh_from_db()
    assert (row.state, row.reason) == ("cancelled", "expired")


def test_what_is_due_is_nudged_once_per_queue(
    add_delivery: AddDelivery, source: Source, queue: RecordingQueue
) -> None:
    rows = [add_delivery() for _ in range(3)]
    waiting = add_event(source, 99)
    type(waiting).objects.filter(pk=waiting.pk).update(state="accepted")
    assert sweep()["nudged"] == 2
    assert queue.delivered == [("counting", [rows[0].pk])]
    assert queue.dispatched == [waiting.pk]


def test_a_queue_in_which_something_waits_needs_no_nudge(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    add_delivery()
    queue.waiting = {"media.counting": 1}
    assert sweep()["nudged"] == 0


def test_a_sweep_leaves_its_time(db: None, queue: RecordingQueue) -> None:
    sweep()
    sweep()
    assert timezone.now() - Heartbeat.objects.get(name="sweep").at < dt.timedelta(seconds=30)


def test_without_redis_the_sweep_still_mends_rows(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    lost = add_delivery(**claimed_until(timezone.now() - AGO))

    def away() -> dict[str, int]:
        raise ConnectionError

    queue.lengths = away  # type: ignore[method-assign] # the one seam
    assert sweep()["recovered"] == 1
    lost.refresh_from_db()
    assert lost.state == "pending"
