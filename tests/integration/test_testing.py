"""Test-send: by the real path, told stage by stage."""

from __future__ import annotations

import re
import threading
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.delivering.testing import Trial, send_test
from notifier.errors import TooManyTests
from notifier.models import Delivery, DestinationConfig, Event, Gate
from servers.process import wait_until
from tests.conftest import add_profile
from tests.integration.conftest import AddDelivery
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.usefixtures("queue")


def at(user: User, address: str, **columns: Any) -> DestinationConfig:
    """Make a destination of the medium that does what the address says."""
    return DestinationConfig.objects.create(
        user=user, media_id="counting", settings={"address": address}, **columns
    )


def told(trial: Trial) -> list[tuple[str, str | None, str]]:
    """Return the stages without their times."""
    return [(each.name, each.reason, each.answer) for each in trial.stages()]


@pytest.mark.django_db(transaction=True)
def test_it_goes_the_way_of_every_message_and_tells_each_stage(
    anna: User, counting: list[str], queue: RecordingQueue
) -> None:
    before = timezone.now()
    trial = send_test(at(anna, "ok-1"), by=anna)
    assert queue.delivered == [("counting", [trial.delivery_id])]
    assert told(trial) == [("accepted", None, ""), ("queued", None, "")]
    assert not trial.has_ended()
    assert deliver("counting", worker="me") == {"sent": 1, "deferred": 0, "failed": 0}
    assert counting == ["This is a test, asked for by anna. Nothing has happened. to ok-1"]
    assert told(trial) == [
        ("accepted", None, ""),
        ("queued", None, ""),
        ("claimed", None, ""),
        ("sent", None, "fine"),
    ]
    assert trial.has_ended()
    assert all(before <= each.at <= timezone.now() for each in trial.stages())
    row = Delivery.objects.get()
    assert (row.kind, row.occasion, row.event.metadata) == ("test", "test", {"test": True})


def test_nobody_else_is_told(anna: User, counting: list[str]) -> None:
    add_profile(anna, {"stateful": False}, at(anna, "ok-profile"))
    send_test(at(anna, "ok-1"), by=anna)
    assert dispatch() == {"events": 0, "deliveries": 0}
    assert Delivery.objects.count() == 1


def test_it_waits_behind_what_is_real(
    add_delivery: AddDelivery, anna: User, counting: list[str]
) -> None:
    send_test(at(anna, "ok-test"), by=anna)
    add_delivery("ok-real", level=4)
    deliver("counting", worker="me")
    assert [each.rpartition(" ")[2] for each in counting] == ["ok-real", "ok-test"]


@pytest.mark.parametrize(
    ("address", "last", "ended"),
    [
        ("never-1", ("failed", "rejected", "no"), True),
        ("busy-1", ("deferred", "server_error", "503"), False),
        ("bug-1", ("deferred", "bug", "RuntimeError"), False),
    ],
)
def test_a_failure_is_told_with_the_reason_and_the_answer(
    anna: User, counting: list[str], address: str, last: tuple[str, str, str], ended: bool
) -> None:
    trial = send_test(at(anna, address), by=anna)
    deliver("counting", worker="me")
    assert told(trial)[2:] == [("claimed", None, ""), last]
    assert trial.has_ended() == ended
    row = Delivery.objects.get()
    assert trial.stages()[-1].again_at == (None if ended else row.due_at)


def test_a_second_try_follows_the_first(anna: User, counting: list[str]) -> None:
    destination = at(anna, "busy-1")
    trial = send_test(destination, by=anna)
    deliver("counting", worker="me")
    Delivery.objects.update(due_at=timezone.now())
    destination.settings = {"address": "ok-1"}
    destination.save()
    deliver("counting", worker="me")
    assert [each.name for each in trial.stages()][2:] == ["claimed", "deferred", "claimed", "sent"]
    assert trial.stages()[3].again_at is None


def test_while_it_is_sent_it_is_claimed(
    anna: User, counting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = send_test(at(anna, "ok-1"), by=anna)
    Delivery.objects.update(
        state="sending",
        claim_token="6f1f8a52-5e0c-5a4b-9a53-1e6b7b7f2d10",
        lease_until=timezone.now(),
    )
    assert [each.name for each in trial.stages()] == ["accepted", "queued", "claimed"]
    assert not trial.has_ended()


def test_a_worker_that_died_of_it_is_told(anna: User, counting: list[str]) -> None:
    trial = send_test(at(anna, "ok-1"), by=anna)
    Delivery.objects.update(state="failed", reason="crashed", finished_at=timezone.now())
    assert told(trial)[2:] == [("failed", "crashed", "")]


def test_a_disabled_destination_is_sent_to_and_stays_disabled(
    add_delivery: AddDelivery, anna: User, counting: list[str]
) -> None:
    destination = at(anna, "ok-1")
    DestinationConfig.objects.update(disabled_at="2026-11-23T12:00:00Z", disabled_reason="gone")
    destination.refresh_from_db()
    trial = send_test(destination, by=anna)
    real = add_delivery("ok-1")
    assert trial.note == (
        "The destination has been disabled (gone) since 2026-11-23 12:00 UTC. The test is sent "
        "all the same, and nothing else until it is enabled or has another address."
    )
    deliver("counting", worker="me")
    assert told(trial)[-1] == ("sent", None, "fine")
    real.refresh_from_db()
    destination.refresh_from_db()
    assert (real.state, real.reason) == ("cancelled", "destination_disabled")
    assert destination.disabled_at
    assert not Gate.objects.filter(destination=destination, failures__gt=0).exists()


def test_notifications_that_are_off_are_told(
    anna: User, counting: list[str], settings: Settings
) -> None:
    settings.SEND_NOTIFICATIONS = False
    trial = send_test(at(anna, "ok-1"), by=anna)
    assert told(trial)[-1] == ("cancelled", "notifications_off", "")


def test_a_user_may_ask_for_so_many(
    anna: User,
    django_user_model: type[User],
    counting: list[str],
    settings: Settings,
) -> None:
    settings.NOTIFIER_TEST_RATE = "2/m"
    destination = at(anna, "ok-1")
    for _ in range(2):
        send_test(destination, by=anna)
    with pytest.raises(TooManyTests, match=r"no more than 2/m test messages for each user") as many:
        send_test(destination, by=anna)
    assert 58 < many.value.retry_after_s <= 60
    send_test(destination, by=django_user_model.objects.create_user("bob"))
    send_test(destination)
    assert Delivery.objects.count() == 4
    oldest = Event.objects.filter(actor="anna").earliest("received")
    Event.objects.filter(pk=oldest.pk).update(received="2026-11-23T12:00:00Z")
    send_test(destination, by=anna)


@pytest.mark.django_db(transaction=True)
def test_rolled_back_nothing_is_sent(
    anna: User, counting: list[str], queue: RecordingQueue
) -> None:
    with transaction.atomic():
        send_test(at(anna, "ok-1"), by=anna)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()
    assert queue.delivered == []


def test_a_medium_that_the_site_lacks_is_told(anna: User, settings: Settings) -> None:
    destination = at_email(anna)
    settings.MEDIA_PLUGINS = []
    with pytest.raises(ImproperlyConfigured, match="no plugin has the slug 'email'"):
        send_test(destination, by=anna)


def at_email(user: User) -> DestinationConfig:
    return user.destinations.get(media_id="email")


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    out = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("sendtest", *arguments, stdout=out, stderr=out)
    return int(left.value.code or 0), out.getvalue()


def meanwhile_deliver() -> threading.Thread:
    """Do in a thread what a worker would, once there is a test."""

    def work() -> None:
        try:
            wait_until(Delivery.objects.exists, timeout_s=10, what="the delivery")
            deliver("counting", worker="me")
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("address", "code", "lines"),
    [
        ("ok-1", 0, ["accepted", "queued", "claimed", "sent: fine"]),
        ("never-1", 1, ["accepted", "queued", "claimed", "failed (rejected): no"]),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_the_command_prints_each_stage(
    anna: User, counting: list[str], address: str, code: int, lines: list[str]
) -> None:
    destination = at(anna, address)
    worker = meanwhile_deliver()
    ended, printed = run(str(destination.pk))
    worker.join()
    assert ended == code
    assert [re.sub(r"^[\d:.]+  ", "", line) for line in printed.splitlines()] == lines


def test_the_command_tells_that_nobody_took_it(anna: User, counting: list[str]) -> None:
    code, printed = run(str(at(anna, "ok-1").pk), "--timeout", "0.3")
    assert code == 1
    assert printed.endswith("Not ended in time; it goes on for an hour. See `notifier doctor`.\n")


def test_the_command_needs_a_destination(db: None) -> None:
    with pytest.raises(CommandError, match="There is no destination 7; the admin lists them"):
        call_command("sendtest", "7")


def test_a_test_that_ends_while_it_is_looked_at_is_told_once(
    anna: User, counting: list[str], db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = send_test(at(anna, "ok-1"))
    before = [each.name for each in trial.stages()]
    read, reads = QuerySet.get, 0

    def ending_meanwhile(rows: QuerySet[Delivery], **lookups: object) -> Delivery:
        nonlocal reads
        reads += 1
        if reads == 2:  # the tries were read, and the row is looked at again
            monkeypatch.setattr(QuerySet, "get", read)
            deliver("counting", worker="me")
        return read(rows, **lookups)

    monkeypatch.setattr(QuerySet, "get", ending_meanwhile)

    assert before == ["accepted", "queued"]
    assert [each.name for each in trial.stages()] == ["accepted", "queued", "claimed", "sent"]
