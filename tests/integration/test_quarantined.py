"""What was refused, tried again or given up."""

from __future__ import annotations

import pytest

from notifier.intake.ingesting import ingest
from notifier.intake.quarantined import give_up, try_again
from notifier.models import Event, QuarantinedEvent, Source
from tests.recording import RecordingQueue

pytestmark = pytest.mark.django_db

ALL = QuarantinedEvent.objects.all()


def refuse(**fields: object) -> QuarantinedEvent:
    """Return the row of an event whose source isn't there."""
    ingest({"description": "x", "source": "shop", **fields}, "a message")
    return QuarantinedEvent.objects.latest("pk")


def test_what_was_mended_is_accepted_and_the_queue_hears_of_it(
    queue: RecordingQueue, django_capture_on_commit_callbacks: object
) -> None:
    row = refuse()
    Source.objects.create(name="shop")
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert try_again(ALL) == {"accepted": 1, "repeated": 0, "quarantined": 0}
    assert Event.objects.get().pk == row.event_id
    assert queue.dispatched == [row.event_id]
    assert not QuarantinedEvent.objects.filter(resolved_at=None).exists()


def test_what_is_refused_again_is_a_new_row_and_the_old_one_is_done_with() -> None:
    row = refuse()
    assert try_again([row])["quarantined"] == 1
    assert QuarantinedEvent.objects.get(resolved_at=None).pk != row.pk


def test_one_that_somebody_dealt_with_meanwhile_is_left_alone() -> None:
    row = refuse()
    assert give_up(ALL) == 1
    Source.objects.create(name="shop")
    assert not sum(try_again([row]).values())
    assert not Event.objects.exists()
    assert give_up(ALL) == 0


def test_one_that_can_not_be_stored_now_is_still_to_be_dealt_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = refuse()

    def gone(*_args: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr("notifier.intake.quarantined.ingest", gone)
    with pytest.raises(ConnectionResetError):
        try_again([row])
    assert QuarantinedEvent.objects.filter(resolved_at=None).exists()
