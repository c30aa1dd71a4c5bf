"""Real processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from django.db import connection

from notifier.models import Source, SourceToken
from servers.inbox import Inbox
from servers.redis import RedisServer
from tests.acceptance.stack import Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The URL of the very database that this test's own models live in."""
    found: dict[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    password = quote(found["PASSWORD"], safe="")
    return f"postgres://{found['USER']}:{password}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


@pytest.fixture
def stack(tmp_path: Path, database_url: str) -> Iterator[Stack]:
    """An empty Redis and inbox, and whatever processes the test starts."""
    with RedisServer(tmp_path) as redis, Inbox(tmp_path) as inbox:
        stack = Stack(tmp_path, database_url, redis, inbox)
        try:
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def people(transactional_db: None, django_user_model: type[User]) -> list[str]:
    """Twenty users with an address each; their names."""
    names = [f"user{number}" for number in range(20)]
    for name in names:
        django_user_model.objects.create_user(name, email=f"{name}@example.org")
    return names


@pytest.fixture
def token(transactional_db: None) -> str:
    """The token of a source named shop."""
    return SourceToken.issue(Source.objects.create(name="shop"))
