"""The whole path with real processes: an event posted becomes a mail and an SMS delivered."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from celery import Celery
from celery.events import EventReceiver

from notifier.client import Notifier
from notifier.models import Attempt, Delivery, Event, QuarantinedEvent
from servers.process import Process
from tests.acceptance.stack import Stack, eventually, get, post, recipients
from tests.conftest import add_phone, add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EVENTS, MEDIA = ("events", "maintenance"), ("media.email", "media.sms")


@pytest.fixture
def people(transactional_db: None, django_user_model: type[User]) -> list[User]:
    """Twenty users with an address each."""
    return [
        django_user_model.objects.create_user(f"user{n}", email=f"user{n}@example.org")
        for n in range(20)
    ]


def test_an_event_over_http_becomes_a_mail_and_an_sms(
    stack: Stack, token: str, people: list[User]
) -> None:
    add_profile(people[0], {"max_level": 2}, add_phone(people[0], "+47 909 09 090"))
    stack.worker("events", *EVENTS)
    stack.worker("media", *MEDIA)
    url = stack.web()
    stack.setup()

    answer = post(url, token, {"description": "db1 is down", "level": 1, "recipients": ["user0"]})

    mails = stack.wait_for_mails(2)
    assert recipients(mails) == ["sms+4790909090@gateway.example", "user0@example.org"]
    by_mail = next(mail for mail in mails if mail["to"] == ["user0@example.org"])
    assert by_mail["subject"] == "[Notifier] db1 is down"
    assert answer["id"] in by_mail["headers"]["Message-ID"]
    eventually(
        lambda: Delivery.objects.filter(event=answer["id"], state="sent").count() == 2,
        "both rows being sent",
    )
    assert Attempt.objects.filter(outcome="sent").count() == 2
    ready = {"status": "ready", "database": "ok", "redis": "ok", "backlog": "ok"}
    assert get(f"{url}/readyz") == ready


def test_flushing_redis_loses_nothing_and_doubles_nothing(
    stack: Stack, token: str, people: list[User]
) -> None:
    url = stack.standard()
    done = threading.Event()

    def flush() -> None:
        client = redis.Redis.from_url(stack.redis.url)
        while not done.is_set():
            client.flushall()
            time.sleep(0.05)

    flusher = threading.Thread(target=flush)
    flusher.start()
    try:
        for n in range(30):
            post(
                url,
                token,
                [
                    {"description": f"event {n}", "recipients": [user.username]}
                    for user in people[:5]
                ],
            )
    finally:
        done.set()
        flusher.join()

    mails = stack.wait_for_mails(150, timeout_s=60)
    eventually(
        lambda: not Delivery.objects.exclude(state="sent").exists(), "the end of every delivery"
    )
    assert len({mail["headers"]["Message-ID"] for mail in mails}) == len(mails) == 150
    assert Delivery.objects.count() == 150


def test_a_celery_client_and_the_bare_client_post_through_redis(
    stack: Stack, token: str, people: list[User]
) -> None:
    stack.worker("events", *EVENTS)
    stack.worker("media", *MEDIA)
    stack.setup()
    foreign = Celery("a web app", broker=stack.redis.url, set_as_current=False)

    sent = foreign.send_task(
        "notifier.ingest",
        [{"source": "shop", "description": "by Celery", "recipients": ["user1"]}],
        queue="events",
    )
    bare = Notifier(stack.redis.url, source="shop")
    event_id = bare.send("by the bare client", recipients=["user2"])
    named = bare.send("named", recipients=["user3"], source_event_id="4711")
    refused = bare.send("for nobody we know", recipients=["nobody"])

    mails = stack.wait_for_mails(3)
    assert recipients(mails) == [f"user{n}@example.org" for n in (1, 2, 3)]
    assert {str(pk) for pk in Event.objects.values_list("pk", flat=True)} == {
        sent.id,
        str(event_id),
        str(named),
    }
    eventually(QuarantinedEvent.objects.exists, "the quarantined event")
    assert "recipients[0]: there is no user 'nobody'" in QuarantinedEvent.objects.get().reason
    assert not Event.objects.filter(pk=refused).exists()


def test_flower_is_told_ids_and_counts_and_no_text(
    stack: Stack, token: str, people: list[User]
) -> None:
    stack.worker("events", *EVENTS)
    stack.worker("media", *MEDIA)
    stack.setup()
    heard: list[dict[str, Any]] = []
    foreign = Celery("a web app", broker=stack.redis.url, set_as_current=False)
    with stack.app.connection_for_read() as connection:
        receiver = EventReceiver(connection, handlers={"*": heard.append}, app=stack.app)
        listening = threading.Thread(target=receiver.capture, kwargs={"limit": None})
        listening.start()
        try:
            eventually(lambda: heard, "the workers' first heartbeat")
            foreign.send_task(
                "notifier.ingest",
                [{"source": "shop", "description": "S3CR3T", "recipients": ["user1"]}],
                queue="events",
            )
            eventually(
                lambda: any("'sent': 1" in str(event.get("result")) for event in heard),
                "Flower's hearing of the delivery",
            )
        finally:
            receiver.should_stop = True
            listening.join()
    received = {event["name"]: event["args"] for event in heard if event["type"] == "task-received"}
    assert received["notifier.ingest"] == "(an event)"
    assert str(Event.objects.get().pk) in received["notifier.dispatch"]
    assert str(Delivery.objects.get().pk) in received["notifier.deliver"]
    results = [event["result"] for event in heard if event["type"] == "task-succeeded"]
    assert "{'accepted': 1, 'repeated': 0, 'quarantined': 0}" in results
    assert "{'sent': 1, 'deferred': 0, 'failed': 0}" in results
    assert "S3CR3T" not in str(heard)
    assert "example.org" not in str(heard)
    assert "S3CR3T" not in stack.logs()


def test_temporary_failures_come_back_and_permanent_ones_end_with_a_reason(
    stack: Stack, token: str, django_user_model: type[User]
) -> None:
    for name in ("busy", "refuse", "fine"):
        django_user_model.objects.create_user(name, email=f"{name}@example.org")
    url = stack.standard()

    names = ["busy", "refuse", "fine"]
    event = post(url, token, {"description": "three ways", "recipients": names})["id"]

    def states() -> dict[str, tuple[str, str]]:
        rows = Delivery.objects.filter(event=event).values_list("user__username", "state", "reason")
        return {name: (state, reason) for name, state, reason in rows}

    eventually(
        lambda: (
            states()
            == {
                "busy": ("pending", "server_error"),
                "refuse": ("failed", "gone"),
                "fine": ("sent", ""),
            }
        ),
        "each row's own ending",
    )
    # 5 s ± 20 % later the sweep finds the one that is due, and it is tried again
    eventually(
        lambda: Attempt.objects.filter(delivery__user__username="busy").count() >= 2,
        "the second attempt",
    )
    assert recipients(stack.inbox.messages()) == ["fine@example.org"]


def test_a_worker_that_dies_with_its_batch_loses_nothing(
    stack: Stack, token: str, people: list[User]
) -> None:
    stack.worker("events", *EVENTS)
    stack.beat()
    url = stack.web()
    event = {"description": "to all", "recipients": [user.username for user in people]}
    media = stack.worker("media", *MEDIA)
    stack.setup()
    _pause(stack.inbox.process)  # the mail server hangs, so the batch is caught in the middle
    post(url, token, event)
    eventually(lambda: Delivery.objects.filter(state="sending").count() == 20, "the claim")

    media.kill()
    stack.inbox.process.signal(18)
    media.restart()

    mails = stack.wait_for_mails(20, timeout_s=60)
    eventually(
        lambda: Delivery.objects.filter(state="sent").count() == 20, "the end of every delivery", 60
    )
    assert set(recipients(mails)) == {f"user{n}@example.org" for n in range(20)}
    # at most the mail that was on its way when the worker died is told twice, with the same id
    again = len(stack.inbox.messages()) - 20
    assert again <= 1
    assert len({mail["headers"]["Message-ID"] for mail in stack.inbox.messages()}) == 20


def _pause(process: Process) -> None:
    process.signal(19)


def test_while_the_database_is_away_the_queue_keeps_its_events_and_the_log_says_so(
    stack: Stack, token: str, people: list[User]
) -> None:
    real = stack.env["DATABASE_URL"]
    stack.env["DATABASE_URL"] = "postgres://nobody:x@127.0.0.1:1/nowhere"
    lost = stack.worker("events", *EVENTS)
    stack.setup()
    event_id = Notifier(stack.redis.url, source="shop").send("patience", recipients=["user4"])
    lost.wait_for_log("the database fails (OperationalError: ")
    assert "Traceback" not in lost.logs()
    lost.kill("SIGTERM")
    eventually(lambda: lost.container.status == "exited", "the end of the worker")

    stack.env["DATABASE_URL"] = real
    stack.worker("again", *EVENTS)
    stack.worker("media", *MEDIA)

    assert recipients(stack.wait_for_mails(1)) == ["user4@example.org"]
    assert Event.objects.get().pk == event_id
