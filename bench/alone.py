"""A site on PostgreSQL in this very process, for a measurement of one thing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import redis
from django.core.management import call_command
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import site as sites


@dataclass(frozen=True, slots=True)
class Measured:
    """A migrated site, a progress bar, and what ends with them."""

    site: sites.Site
    progress: Progress
    broker: redis.Redis
    stack: ExitStack


@contextmanager
def measured() -> Iterator[Measured]:
    """Provide it, with Django set up; each thing that is logged below an error is left out."""
    os.environ["NOTIFIER_LOG_LEVEL"] = "ERROR"
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory,
        Progress(*columns, TimeElapsedColumn()) as progress,
        ExitStack() as stack,
    ):
        site = sites.start(stack, Path(directory), "postgresql")
        django.setup()
        call_command("migrate", verbosity=0)
        broker = stack.enter_context(redis.Redis.from_url(site.redis_url))
        yield Measured(site, progress, broker, stack)


def publish(result: Path, text: str) -> None:
    """Write a report, and print it."""
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(text)
    print(text, end="")
