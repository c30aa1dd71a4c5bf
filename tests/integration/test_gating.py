"""Gates: what outcomes close, what that holds back, and who opens it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from notifier.breaker import IN_A_ROW
from notifier.delivering import batch
from notifier.delivering.dispatching import dispatch
from notifier.delivering.recording import record
from notifier.delivering.sending import deliver
from notifier.diagnosing import diagnose
from notifier.errors import PermanentError, Reason, TemporaryError
from notifier.intake.notifying import notify
from notifier.media.base import Destination
from notifier.models import Attempt, Delivery, DestinationConfig, Gate
from tests.conftest import add_profile
from tests.integration.conftest import AddDelivery
from tests.plugins import Counting
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

SENT, DEFERRED = {"sent": 1, "deferred": 0, "failed": 0}, {"sent": 0, "deferred": 1, "failed": 0}
NOTHING = {"sent": 0, "deferred": 0, "failed": 0}

Answer = Callable[[Exception | None], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, queue: RecordingQueue) -> Answer:
    """Make the medium raise something from now on, or send again."""
    now: list[Exception | None] = [None]

    def send_one(_self: Counting, _message: str, destination: Destination, _session: Any) -> str:
        if now[0]:
            raise now[0]
        Counting.sent.append(destination.settings["address"])
        return "fine"

    monkeypatch.setattr(Counting, "send_one", send_one)

    def say(error: Exception | None) -> None:
        now[0] = error

    return say


def time_passes(**columns: object) -> None:
    """Let what is closed for a time be open again: the rows' times move, not the clock."""
    ago = timezone.now() - dt.timedelta(seconds=1)
    Gate.objects.exclude(closed_until=None).update(closed_until=ago, **columns)
    Delivery.objects.filter(state="pending").update(due_at=ago)


def run() -> dict[str, int]:
    """Deliver once."""
    return deliver("counting", worker="me")


def test_a_host_that_fails_in_a_row_is_left_alone_without_using_attempts_up(
    add_delivery: AddDelivery, answer: Answer
) -> None:
    for _ in range(20):
        add_delivery()
    answer(TemporaryError(Reason.CONNECTION, "refused"))
    assert run() == {"sent": 0, "deferred": IN_A_ROW, "failed": 0, "released": 20 - IN_A_ROW}
    gate = Gate.objects.get(destination=None)
    assert (gate.medium, gate.host, gate.trips, gate.reason) == ("counting", "", 1, "connection")
    assert run() == NOTHING
    assert Delivery.objects.filter(attempts=0, state="pending").count() == 20
    assert Attempt.objects.count() == IN_A_ROW  # the history has them all the same


def test_one_message_tries_and_its_success_lets_all_through(
    add_delivery: AddDelivery, answer: Answer
) -> None:
    for _ in range(20):
        add_delivery()
    answer(TemporaryError(Reason.CONNECTION, "refused"))
    run()
    time_passes()
    assert run() == DEFERRED
    assert Gate.objects.get(destination=None).trips == 2
    time_passes()
    answer(None)
    assert run() == SENT
    assert run()["sent"] == 19
    gate = Gate.objects.get(destination=None)
    assert (gate.trips, gate.failures, gate.closed_until) == (0, 0, None)


def test_days_without_the_server_use_no_attempt_up(
    add_delivery: AddDelivery, answer: Answer
) -> None:
    row = add_delivery()
    answer(TemporaryError(Reason.CONNECTION, "refused"))
    for _ in range(40):
        run()
        time_passes()
    row.refresh_from_db()
    assert row.state == "pending"
    assert row.attempts < IN_A_ROW  # those before the breaker had heard enough
    answer(None)
    assert run() == SENT


@pytest.mark.parametrize("reason", [Reason.MISCONFIGURED, Reason.AUTH])
def test_the_sites_own_fault_opens_it_at_once(
    add_delivery: AddDelivery, answer: Answer, reason: Reason
) -> None:
    for _ in range(3):
        add_delivery()
    answer(TemporaryError(reason))
    assert run() == {"sent": 0, "deferred": 1, "failed": 0, "released": 2}
    assert Gate.objects.get(destination=None).reason == reason
    assert not Delivery.objects.exclude(attempts=0).exists()


def test_a_dead_host_holds_back_no_other(add_delivery: AddDelivery, answer: Answer) -> None:
    for _ in range(IN_A_ROW):
        add_delivery(host="dead")
    answer(TemporaryError(Reason.CONNECTION, "refused"))
    run()
    answer(None)
    well = add_delivery(host="well")
    add_delivery(host="dead")
    assert run() == SENT
    well.refresh_from_db()
    assert well.state == "sent"


@pytest.mark.parametrize("reason", [Reason.DEFERRED, Reason.BUG])
def test_what_a_recipient_or_a_plugin_is_to_blame_for_closes_nothing(
    add_delivery: AddDelivery, answer: Answer, reason: Reason
) -> None:
    for _ in range(20):
        add_delivery()
    answer(TemporaryError(reason))
    assert run()["deferred"] == 20
    assert not Gate.objects.filter(trips__gt=0).exists()


def test_what_may_have_been_sent_is_not_repeated_without_end_while_the_breaker_is_open(
    add_delivery: AddDelivery, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "RETRY_DELAYS", (1,) * 7)
    row = add_delivery()
    answer(TemporaryError(Reason.UNCLEAR))
    for _ in range(20):
        run()
        time_passes()
    row.refresh_from_db()
    assert (row.state, row.reason, row.attempts) == ("failed", "unclear", 8)


def test_a_probe_that_need_not_be_sent_lets_the_next_one_try(
    add_delivery: AddDelivery, answer: Answer
) -> None:
    Gate.objects.create(
        medium="counting", trips=1, closed_until=timezone.now() - dt.timedelta(seconds=1)
    )
    add_delivery("ok-x")
    DestinationConfig.objects.update(disabled_at=timezone.now(), disabled_reason="gone")
    add_delivery("ok-y")
    assert run()["cancelled"] == 1
    assert run() == SENT


def test_too_fast_parks_that_destination_for_as_long_as_it_said(
    add_delivery: AddDelivery, answer: Answer, counting: list[str]
) -> None:
    add_delivery("ok-x")
    add_delivery("ok-x")
    answer(TemporaryError(Reason.RATE_LIMITED, "429", retry_after=7))
    assert run() == {"sent": 0, "deferred": 1, "failed": 0, "released": 1}
    gate = Gate.objects.get(destination__isnull=False)
    assert gate.closed_until
    assert 5 < (gate.closed_until - timezone.now()).total_seconds() <= 7
    answer(None)
    add_delivery("ok-y")
    assert run() == SENT
    assert counting == ["ok-y"]
    time_passes()
    assert run()["sent"] == 2
    assert not Delivery.objects.filter(attempts=2).exists()


def test_too_fast_said_to_the_whole_host_parks_all_of_it(
    add_delivery: AddDelivery, answer: Answer
) -> None:
    for _ in range(3):
        add_delivery()
    answer(TemporaryError(Reason.RATE_LIMITED, "454", whole_host=True))
    assert run() == {"sent": 0, "deferred": 1, "failed": 0, "released": 2}
    answer(None)
    assert run() == NOTHING
    time_passes()
    assert run()["sent"] == 3


def test_a_destination_that_is_gone_is_disabled_and_the_rest_of_its_rows_cancelled(
    add_delivery: AddDelivery, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "GONE_AFTER", 2)
    for _ in range(4):
        add_delivery("ok-x")
    answer(PermanentError(Reason.GONE, "550 5.1.1"))
    assert run() == {"sent": 0, "deferred": 0, "failed": 1, "released": 3}
    assert DestinationConfig.objects.get(media_id="counting").disabled_at is None
    assert run()["failed"] == 1
    destination = DestinationConfig.objects.get(media_id="counting")
    assert destination.disabled_reason == "gone"
    assert run()["cancelled"] == 2
    assert Delivery.objects.filter(reason="destination_disabled").count() == 2


def test_a_success_in_between_forgives_it(
    add_delivery: AddDelivery, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "GONE_AFTER", 2)
    for error in (PermanentError(Reason.GONE), None, PermanentError(Reason.GONE)):
        add_delivery("ok-x")
        answer(error)
        run()
    assert DestinationConfig.objects.get(media_id="counting").disabled_at is None


def test_a_disabled_destination_is_told_nothing_until_its_address_changes(
    anna: User, counting: list[str], queue: RecordingQueue
) -> None:
    there = DestinationConfig(user=anna, media_id="counting", settings={"address": "ok-1"})
    there.disabled_at, there.disabled_reason = timezone.now(), "gone"
    there.save()
    DestinationConfig.objects.filter(pk=there.pk).update(
        disabled_at=timezone.now(), disabled_reason="gone"
    )
    add_profile(anna, {"max_level": 5}, there)
    notify("nobody hears this")
    dispatch()
    assert not Delivery.objects.exists()
    there.refresh_from_db()
    there.settings = {"address": "ok-2"}
    there.save(update_fields=["settings"])
    notify("heard")
    dispatch()
    run()
    assert counting == ["heard to ok-2"]


def test_an_operator_pauses_a_medium_and_lets_it_go_on(
    add_delivery: AddDelivery, queue: RecordingQueue
) -> None:
    add_delivery()
    out = StringIO()
    call_command("pause", "counting", stdout=out)
    assert run() == NOTHING
    [finding] = [each for each in diagnose() if each.subject == "gate of counting"]
    assert "1 wait, held back by an operator" in finding.sentence
    call_command("resume", "counting", stdout=out)
    call_command("resume", "counting", "--host", "nowhere", stdout=out)
    assert run() == SENT
    assert "Paused." in out.getvalue()
    assert "It was not held back." in out.getvalue()
    with pytest.raises(CommandError, match="there are: email, counting"):
        call_command("pause", "carrier-pigeon")


def test_the_admin_shows_every_medium_and_opens_a_breaker(
    add_delivery: AddDelivery, answer: Answer, admin_client: Client
) -> None:
    add_delivery()
    answer(TemporaryError(Reason.AUTH))
    run()
    page = reverse("admin:notifier_gate_changelist")
    assert "email" in admin_client.get(page).content.decode()
    gate = Gate.objects.get(medium="counting", destination=None)
    for action in ("pause", "resume"):
        admin_client.post(page, {"action": action, "_selected_action": [gate.pk]})
        gate.refresh_from_db()
        assert gate.paused is (action == "pause")
    assert (gate.trips, gate.closed_until) == (0, None)


def test_a_destination_deleted_while_it_was_sent_to_spoils_no_record(
    add_delivery: AddDelivery, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:

    rows = [add_delivery(), add_delivery()]
    answer(TemporaryError(Reason.RATE_LIMITED))

    def delete(*arguments: Any) -> Any:
        DestinationConfig.objects.filter(deliveries=rows[0]).delete()
        return record(*arguments)

    monkeypatch.setattr(batch, "record", delete)
    assert run()["deferred"] == 2
