"""Dead letters, sent again."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from notifier.delivering.replaying import replay, replayable
from notifier.delivering.sending import deliver
from notifier.models import Attempt, Delivery, DestinationConfig, Event
from tests.integration.conftest import AddDelivery
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.test import Client

AGO = dt.timedelta(hours=1)


@pytest.fixture
def add_dead(add_delivery: AddDelivery) -> AddDelivery:
    """Add a delivery that failed an hour ago."""

    def add(address: str = "", reason: str = "gone", **columns: Any) -> Delivery:
        ended = {"finished_at": timezone.now() - AGO, "attempts": 17, "crashes": 2, **columns}
        return add_delivery(address, state="failed", reason=reason, **ended)

    return add


def run(*arguments: str) -> str:
    """Run the command; return what it printed."""
    out = StringIO()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


def test_a_replayed_row_starts_over_and_is_sent_with_the_same_id(
    add_dead: AddDelivery, queue: RecordingQueue, counting: list[str]
) -> None:
    row = add_dead("ok-1")
    Attempt.objects.create(
        delivery=row,
        number=17,
        started_at=timezone.now(),
        duration_ms=1,
        worker="w",
        outcome="permanent",
    )
    assert run("--medium", "counting") == "1 deliveries are due again, the last one in 0 s.\n"
    fresh = Delivery.objects.get()
    assert (fresh.state, fresh.attempts, fresh.crashes, fresh.reason) == ("pending", 0, 0, "")
    assert deliver("counting", worker="me")["sent"] == 1
    assert fresh.message_key == row.message_key
    assert Attempt.objects.count() == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--medium", "counting"], {"a", "b", "c"}),
        (["--medium", "email"], set()),
        (["--reason", "gone"], {"a", "c"}),
        (["--since", "2026-01-01T00:00:00Z"], {"a", "b", "c"}),
        (["--until", "2026-01-01T00:00:00Z"], set()),
        (["--all"], {"a", "b", "c"}),
    ],
)
def test_rows_are_chosen(add_dead: AddDelivery, arguments: list[str], expected: set[str]) -> None:
    add_dead("a")
    add_dead("b", reason="timeout")
    add_dead("c")
    run(*arguments)
    pending = Delivery.objects.filter(state="pending").select_related("destination")
    assert {row.destination.settings["address"] for row in pending if row.destination} == expected


def test_one_destination_is_chosen_by_its_id(add_dead: AddDelivery) -> None:
    row = add_dead("a")
    add_dead("b")
    run("--destination", str(row.destination_id))
    assert list(Delivery.objects.filter(state="pending")) == [row]


def test_a_dry_run_counts_and_changes_nothing(add_dead: AddDelivery) -> None:
    for reason in ("gone", "gone", "timeout"):
        add_dead(reason=reason)
    assert run("--all", "--dry-run") == "counting, gone: 2\ncounting, timeout: 1\n"
    assert not Delivery.objects.filter(state="pending").exists()


def test_a_row_that_was_given_up_long_ago_has_its_time_anew(add_dead: AddDelivery) -> None:
    add_dead(expires_at=timezone.now() - AGO)
    assert run("--all").startswith("1 deliveries")
    left = Delivery.objects.get().expires_at
    assert left
    assert left > timezone.now() + dt.timedelta(hours=71)


def test_what_can_reach_nobody_any_more_stays_failed(add_dead: AddDelivery) -> None:
    expired = add_dead(expires_at=timezone.now() - AGO)
    Event.objects.filter(pk=expired.event_id).update(expires=timezone.now() - AGO)
    disabled = add_dead()
    DestinationConfig.objects.filter(deliveries=disabled).update(disabled_at=timezone.now())
    orphan = add_dead()
    assert orphan.destination
    orphan.destination.delete()
    assert run("--all").startswith("0 deliveries")


def test_rows_are_spread_over_the_seconds_of_their_rate(add_dead: AddDelivery) -> None:
    for _ in range(5):
        add_dead()
    assert run("--all", "--rate", "2").endswith("the last one in 2 s.\n")
    first, *_, last = Delivery.objects.order_by("pk").values_list("due_at", flat=True)
    assert round((last - first).total_seconds()) == 2


def test_broken_off_it_goes_on_and_made_twice_it_does_nothing_more(add_dead: AddDelivery) -> None:
    for _ in range(4):
        add_dead()
    broken_off = replay(Delivery.objects.all(), rate=1)
    next(broken_off)
    broken_off.close()
    assert Delivery.objects.filter(state="failed").count() == 3
    assert sum(replay(Delivery.objects.all(), rate=2)) == 3
    assert sum(replay(Delivery.objects.all(), rate=2)) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "or say --all"),
        (["--since", "yesterday"], "write it as 2026-11-23T09:30:00"),
        (["--since", "2026-11-23T09:30:00"], "write it as 2026-11-23T09:30:00"),
        (["--all", "--rate", "0"], "1 or more"),
        (["--reason", "nonsense"], "invalid choice"),
    ],
)
def test_a_wrong_choice_is_refused(db: None, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)


def test_the_admin_replays_what_failed_and_leaves_the_rest(
    add_dead: AddDelivery, add_delivery: AddDelivery, admin_client: Client
) -> None:
    dead = add_dead()
    sent = add_delivery(state="sent", finished_at=timezone.now())
    answer = admin_client.post(
        reverse("admin:notifier_delivery_changelist"),
        {"action": "replay", "_selected_action": [dead.pk, sent.pk]},
        follow=True,
    )
    assert "1 failed deliveries are due again." in answer.content.decode()
    dead.refresh_from_db()
    sent.refresh_from_db()
    assert (dead.state, sent.state) == ("pending", "sent")


def test_no_more_than_so_many_are_replayed_at_once(add_dead: AddDelivery) -> None:
    rows = [add_dead() for _ in range(3)]
    assert list(replay(Delivery.objects.all(), most=2)) == [2]
    assert list(replayable(Delivery.objects.all())) == rows[2:]
