"""The tasks: each takes ids, calls one function of the domain and returns its counts.

Unknown arguments are ignored, so that old and new versions can run side by side. Ids are for
people, who see them in Flower: a task takes whatever is due.
"""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from typing import Any, NoReturn

from celery import Task, current_task, shared_task
from celery.exceptions import Reject
from celery.worker.request import Request
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

from notifier.delivering import dispatching, sending, sweeping
from notifier.intake import heartbeats, incidents, ingesting
from notifier.outages import database
from notifier.retention import purging
from worker import canaries, posted
from worker.rate_limits import RedisLimiter
from worker.stopping import stopping

log = logging.getLogger(__name__)

DATABASE_DOWN = (OperationalError, InterfaceError)
PAUSE_S = 1.0
"""Before an event goes back to its queue because the database is away: else it would spin."""


class RowTask(Task):  # type: ignore[type-arg] # generic in its stubs alone
    """A task over rows: while the database is away it fails in one line, and the sweep tries again."""

    throws = DATABASE_DOWN

    def on_failure(self, exc: Exception, *_args: object, **_kwargs: object) -> None:
        """Say so; Celery itself logs an expected error below what most sites look at."""
        if isinstance(exc, DATABASE_DOWN):
            database.begin(exc)

    def on_success(self, *_args: object, **_kwargs: object) -> None:
        """Say so, if it was away."""
        database.end()


class BlankRequest(Request):
    """A request whose arguments nobody sees: whoever sent them, they hold an event's text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = "(an event)", "{}"


class IngestTask(Task):  # type: ignore[type-arg] # generic in its stubs alone
    """The way in; late acks, because until it commits the event lives only in Redis.

    A message whose process dies comes back; how often is bounded by `ingesting.MAX_RETURNS`.
    """

    Request = "worker.tasks:BlankRequest"
    acks_late = True
    # Celery would acknowledge all the same where a task's time is up or its process dies.
    acks_on_timeout = False
    reject_on_worker_lost = True


@shared_task(name="notifier.ingest", base=IngestTask)
def ingest(event: object = None, *_args: object, **kwargs: object) -> dict[str, int]:
    """Accept an event, a list of them, or one given as keyword arguments."""
    request = current_task.request
    again = bool((request.delivery_info or {}).get("redelivered"))
    try:
        counts = ingesting.ingest(kwargs if event is None else event, str(request.id), again=again)
    except DatabaseError as error:
        database.begin(error)
        time.sleep(PAUSE_S)
        raise Reject("the database is away", requeue=True) from error
    database.end()
    posted.forget(str(request.id))
    return counts


@shared_task(name="notifier.dispatch", base=RowTask)
def dispatch(_event_ids: object = None, *_args: object, **_kwargs: object) -> dict[str, int]:
    """Turn accepted events into deliveries."""
    return dispatching.dispatch()


@shared_task(name="notifier.deliver", base=RowTask)
def deliver(
    slug: str, _delivery_ids: object = None, *_args: object, **_kwargs: object
) -> dict[str, int]:
    """Send a medium's due deliveries."""
    worker = current_task.request.hostname or ""
    counts = sending.deliver(slug, worker=worker, limiter=_limiter(), stopping=stopping)
    if counts.get("hung"):
        _replace_process()
    return counts


def _replace_process() -> NoReturn:
    """End this pool process, in which a plugin hangs for ever; all else of its batch is recorded."""
    log.error("notifier.deliver: this process hangs in a plugin and is replaced")
    logging.shutdown()
    os._exit(os.EX_SOFTWARE)


@cache
def _limiter() -> RedisLimiter:
    return RedisLimiter()


@shared_task(name="notifier.sweep", base=RowTask)
def sweep(*_args: object, **_kwargs: object) -> dict[str, int]:
    """Find what was forgotten, and what the time that passes has changed."""
    found = sweeping.sweep()
    found |= heartbeats.watch() | incidents.lapse_acknowledgements()
    return found | posted.post_overdue()


@shared_task(name="notifier.purge", base=RowTask)
def purge(*_args: object, **_kwargs: object) -> dict[str, int]:
    """Delete some of what is old."""
    return purging.purge_for_a_while()


@shared_task(name="notifier.canaries", base=RowTask)
def release_canaries(*_args: object, **_kwargs: object) -> dict[str, int]:
    """Send a canary into each queue."""
    return canaries.release()


@shared_task(name=canaries.CANARY_TASK, base=RowTask)
def canary(queue: str, *_args: object, **_kwargs: object) -> dict[str, int]:
    """Note that messages come through a queue."""
    return canaries.arrive(queue)
