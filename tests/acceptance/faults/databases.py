"""A database of a test's own, which it may break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connections
from django.db.utils import load_backend
from environ import Env
from pytest_django import DjangoDbBlocker


@contextmanager
def swapped_in(url: str, blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let this process's models live in an empty database, with all its tables, for a while."""
    before = connections["default"]
    settings = connections.configure_settings({"default": Env.db_url_config(url)})["default"]
    with blocker.unblock():
        before.close()
        backend = load_backend(settings["ENGINE"])
        connections["default"] = backend.DatabaseWrapper(settings, "default")
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connections["default"].close()
            connections["default"] = before


def sqlite_url(path: Path) -> str:
    """Return the URL of a database in a file."""
    return f"sqlite:///{path.absolute()}"
