"""Databases that restart, refuse, hang up, lock, deadlock and fill up: each test breaks its own."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoDbBlocker

from notifier.models import Delivery, Source, SourceToken
from servers.postgresql import PostgresServer
from servers.redis import RedisServer
from tests.acceptance.faults import full_disk
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.conftest import SHORTER
from tests.acceptance.faults.databases import sqlite_url, swapped_in
from tests.acceptance.faults.ledger import Ledger
from tests.acceptance.faults.posting import Poster
from tests.acceptance.faults.rules import Rule
from tests.acceptance.stack import Processes, eventually

AWAY_S = float(os.environ.get("NOTIFIER_FAULT_AWAY_S", "8"))
"""How long PostgreSQL refuses connections."""
PATIENT = {
    "NOTIFIER_HARD_TIME_LIMIT_S": str(AWAY_S + 5),
    "NOTIFIER_LEASE_S": str(AWAY_S + 6),
}
"""As in production, a batch outlives a database that is away for a while, and records afterwards."""


@contextmanager
def system(directory: Path, url: str, ledger: Ledger) -> Iterator[FaultCase]:
    """Provide a case on a database of its own; the test starts the processes."""
    with RedisServer(directory) as redis:
        stack = Processes(directory, url, redis, ledger.smtp_port)
        stack.env |= SHORTER | PATIENT
        try:
            yield FaultCase(stack, ledger, url.partition(":")[0].replace("postgres", "postgresql"))
        finally:
            stack.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own."""
    with PostgresServer(tmp_path) as server:
        yield server


@pytest.fixture
def postgresql(
    tmp_path: Path, server: PostgresServer, ledger: Ledger, django_db_blocker: DjangoDbBlocker
) -> Iterator[FaultCase]:
    """A system on it."""
    with (
        swapped_in(server.url(), django_db_blocker),
        system(tmp_path, server.url(), ledger) as case,
    ):
        yield case


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where SQLite keeps the test's own database."""
    return tmp_path / "own.sqlite3"


@pytest.fixture
def sqlite(
    tmp_path: Path, file: Path, ledger: Ledger, django_db_blocker: DjangoDbBlocker
) -> Iterator[FaultCase]:
    """A system on it."""
    url = sqlite_url(file)
    with swapped_in(url, django_db_blocker), system(tmp_path, url, ledger) as case:
        yield case


def poster(case: FaultCase) -> Poster:
    """Start everything, and a web server to post to."""
    case.start()
    url = case.stack.web()
    people = case.add_people(10)
    token = SourceToken.issue(Source.objects.create(name="shop"))
    case.ledger.script(Rule("end", late_s=0.01))
    return Poster(case, url, token, people)


def terminate(server: PostgresServer) -> None:
    """End every connection but our own."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as own:
        own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def test_postgresql_may_restart_refuse_and_hang_up_in_the_middle_of_a_batch(
    postgresql: FaultCase, server: PostgresServer
) -> None:
    case, posting = postgresql, poster(postgresql)

    def die() -> None:
        server.kill()
        server.restart()

    def stay_away() -> None:
        server.stop()
        time.sleep(AWAY_S)
        server.restart()

    for name, fault in (
        ("PostgreSQL ends all connections", partial(terminate, server)),
        ("PostgreSQL restarts", server.restart),
        ("PostgreSQL is killed and comes back", die),
        (f"PostgreSQL refuses connections for {AWAY_S:.0f} s", stay_away),
    ):
        told = case.ledger.count()
        with posting.at_work():
            case.wait_for_mails(told + 15)
            with case.fault(name):
                fault()
                connection.close()
            eventually(lambda: posting.post() == 202, "acceptance after the fault")
        # of what fails again within a minute, the log says nothing
        case.ends(said="" if told else r"the database fails \(\w+Error: ")
    assert set(posting.answers) == {202, 503}
    assert not posting.unretriable


def wait_for_rows(rows: QuerySet[Delivery], count: int) -> None:
    """Wait until there are so many."""
    eventually(lambda: rows.count() == count, f"{count} rows")


def waits_for_a_lock(own: psycopg.Connection) -> bool:
    """Say whether somebody waits for a lock."""
    waiting = own.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    found = waiting.fetchone()
    return bool(found and found[0])


def deadlocks(own: psycopg.Connection) -> int:
    """Return how many deadlocks PostgreSQL has found in this database."""
    counted = own.execute(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return int(counted[0]) if counted else 0


def test_postgresql_ends_a_deadlock_at_the_workers_cost(
    postgresql: FaultCase, server: PostgresServer
) -> None:
    case = postgresql
    case.start()
    good, bad = case.add_people(10), case.add_people(3, "bad")
    refused = [Rule("rcpt", "550 5.7.1 no", to=user.username) for user in bad]
    case.ledger.script(Rule("end", late_s=0.05), *refused)
    untold = [user.email for user in bad]
    with (
        psycopg.connect(server.url(), autocommit=True) as watcher,
        psycopg.connect(server.url()) as intruder,
    ):
        for number in range(1, 6):
            with case.fault("PostgreSQL ends a deadlock"):
                case.post(1, [*good, *bad])
                sending = Delivery.objects.filter(
                    state="sending", event__description=f"event {number}"
                )
                wait_for_rows(sending, 13)
                first = sending.filter(user=good[0]).values_list("pk", flat=True)[0]
                last = sending.filter(user=bad[-1]).values_list("pk", flat=True)[0]
                lock = "SELECT 1 FROM notifier_delivery WHERE id = %s FOR UPDATE"
                intruder.execute(lock, [last])
                eventually(lambda: waits_for_a_lock(watcher), "the worker's waiting for us")
                with suppress(psycopg.errors.DeadlockDetected):
                    intruder.execute(lock, [first])
                intruder.rollback()
            case.ends(untold=untold)
            if deadlocks(watcher):
                break
        assert deadlocks(watcher)


def test_sqlite_may_be_locked_by_a_long_writer(sqlite: FaultCase, file: Path) -> None:
    case, posting = sqlite, poster(sqlite)
    with posting.at_work():
        case.wait_for_mails(15)
        with case.fault("SQLite is locked for 4 s"), closing(sqlite3.connect(file)) as writer:
            writer.isolation_level = None
            writer.execute("BEGIN IMMEDIATE")
            time.sleep(4)
            writer.execute("ROLLBACK")
        eventually(lambda: posting.post() == 202, "acceptance after the fault")
    case.ends()


def test_while_the_disk_is_full_nothing_is_accepted_and_nothing_is_lost(
    sqlite: FaultCase, tmp_path: Path
) -> None:
    limit = tmp_path / "max_pages"
    sqlite.stack.env |= {
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.faults.full_disk_settings",
        full_disk.VARIABLE: str(limit),
    }
    case, posting = sqlite, poster(sqlite)
    with posting.at_work():
        case.wait_for_mails(15)
        with case.fault("SQLite's disk is full"):
            limit.write_text("1")  # never less than there are
            eventually(lambda: posting.answers[503] >= 5, "refusals")
            limit.unlink()
        eventually(lambda: posting.post() == 202, "acceptance after the fault")
    case.ends(said=r"the database fails \(OperationalError: database or disk is full\)")
    assert set(posting.answers) == {202, 503}
    assert not posting.unretriable
