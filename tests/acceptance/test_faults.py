"""What breaks under the running system, and that nothing is lost or told twice by it."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from django.db import connection, transaction

from notifier.client import Notifier
from notifier.models import Delivery
from tests.acceptance.stack import Stack, eventually, post, recipients

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PEOPLE = 20


@pytest.fixture
def people(transactional_db: None, django_user_model: type[User]) -> list[str]:
    """Twenty users with an address each; their names."""
    names = [f"user{number}" for number in range(PEOPLE)]
    for name in names:
        django_user_model.objects.create_user(name, email=f"{name}@example.org")
    return names


def everybody_is_told_once(stack: Stack, count: int) -> None:
    """Wait for the end of every delivery, and hold the mails against the rows."""
    stack.wait_for_mails(count, timeout_s=60)
    eventually(lambda: Delivery.objects.filter(state="sent").count() == count, "the end of all", 60)
    mails = stack.inbox.messages()
    assert len(mails) == count == len({mail["headers"]["Message-ID"] for mail in mails})
    assert all(worker.container.status == "running" for worker in stack.workers)


@contextmanager
def database_fault() -> Iterator[None]:
    """Break what the database lets be broken: its connections, or, on SQLite, the write lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        yield
        return
    writer = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        yield
        time.sleep(1)
    finally:
        writer.execute("ROLLBACK")
        writer.close()


def test_what_was_sent_while_the_database_broke_is_not_sent_again(
    stack: Stack, token: str, people: list[str]
) -> None:
    url = stack.standard()
    mail_server = stack.inbox.process
    mail_server.signal(signal.SIGSTOP)
    post(url, token, {"description": "to all", "recipients": people})
    eventually(lambda: Delivery.objects.filter(state="sending").count() == PEOPLE, "the claim")

    with database_fault():
        mail_server.signal(signal.SIGCONT)  # within the time that one send may take

    everybody_is_told_once(stack, PEOPLE)


def test_a_worker_that_is_asked_to_stop_finishes_its_batch(
    stack: Stack, token: str, people: list[str]
) -> None:
    url = stack.standard()
    for number in range(5):
        post(url, token, {"description": f"event {number}", "recipients": people})
    media = stack.workers[1]
    eventually(stack.inbox.messages, "the first mail")

    media.kill("SIGTERM")
    eventually(lambda: media.container.status == "exited", "the end of the worker")
    assert not Delivery.objects.filter(state="sending").exists()
    media.restart()

    everybody_is_told_once(stack, 5 * PEOPLE)
    assert set(recipients(stack.inbox.messages())) == {f"{name}@example.org" for name in people}


@contextmanager
def events_locked() -> Iterator[None]:
    """Let nobody store an event."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE notifier_event IN EXCLUSIVE MODE")
            yield
        return
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


def test_an_event_survives_the_death_of_the_process_that_was_storing_it(
    stack: Stack, token: str, people: list[str]
) -> None:
    stack.standard()
    worker = stack.workers[0]
    with events_locked():
        Notifier(stack.redis.url, source="shop").send("patience", recipients=people)
        worker.wait_for_log("Task notifier.ingest")
        time.sleep(0.5)
        for child in psutil.Process(worker.container.process.pid).children():
            child.kill()
        time.sleep(0.5)
    everybody_is_told_once(stack, PEOPLE)


def test_redis_beat_and_the_web_process_killed_together_lose_nothing(
    stack: Stack, token: str, people: list[str]
) -> None:
    stack.worker("events", "events", "maintenance")
    stack.worker("media", "media.email")
    beat = stack.beat()
    url = stack.web()
    stack.setup()
    beat.kill()
    stack.redis.process.signal(signal.SIGSTOP)
    post(url, token, {"description": "to all", "recipients": people})
    [web] = [each for each in stack.processes if each.name == "web"]
    web.kill()
    stack.redis.kill()
    stack.redis.restart()
    beat.restart()
    everybody_is_told_once(stack, PEOPLE)
