"""`/livez` and `/readyz`."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from notifier.api import health
from tests.recording import RecordingQueue


class NoRedis(RecordingQueue):
    """A queue whose Redis is away."""

    def lengths(self) -> dict[str, int]:
        raise ConnectionError("Redis can't be reached")


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def fail(*_: object) -> None:
        raise request.param

    monkeypatch.setattr(health, "MigrationExecutor", fail)


def test_a_process_that_serves_is_alive(client: Client) -> None:
    answer = client.get("/livez")  # without a database: pytest-django refuses any query here
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_with_all_its_parts_it_is_ready(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "ok", "redis": "ok", "backlog": "ok"}


@pytest.mark.parametrize(
    "no_database",
    [OperationalError("gone"), InterfaceError("closed"), DatabaseError("odd")],
    indirect=True,
)
def test_without_its_database_it_is_not_ready(client: Client, no_database: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "database": "does not answer; see DATABASE_URL",
        "redis": "ok",
    }


def test_with_a_migration_missing_it_is_not_ready(client: Client, db: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="notifier").delete()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "lacks migrations; run `notifier migrate`"


def test_without_redis_events_are_still_accepted(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "get_queue", NoRedis)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "database": "ok",
        "redis": "does not answer; see REDIS_URL. Events are stored, and sent when it is back",
        "backlog": "ok",
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_it_is_only_looked_at(client: Client, path: str, settings: Any) -> None:
    assert client.post(path).status_code == 405
