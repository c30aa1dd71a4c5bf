"""Events whose message comes again: perhaps because storing them kills the process each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from notifier import conf
from notifier.models import IngestTry


def count(event_id: UUID) -> int:
    """Count that an event came back, committed before anything is done with it; return how often."""
    row = IngestTry.objects.filter(pk=event_id)
    IngestTry.objects.bulk_create([IngestTry(event_id=event_id)], ignore_conflicts=True)
    row.update(returns=F("returns") + 1)
    return row.values_list("returns", flat=True)[0]


def forget(event_id: UUID) -> None:
    """Let the next return be the first: the process lives."""
    IngestTry.objects.filter(pk=event_id).delete()


@contextmanager
def limited_patience() -> Iterator[None]:
    """Wait for another's lock for a part of the task's time only; a transaction.

    Else a long migration would look like an event that kills: the process is killed when its
    task's time is up.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite has its `timeout`
            limit = f"{conf.HARD_TIME_LIMIT_S() * 1000 / 4:.0f}ms"
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [limit])
        yield
