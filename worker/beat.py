"""Celery's scheduler, by a clock that nobody sets, and never further ahead than somebody consumes.

Celery's own stands still for an hour when its machine's clock is set back by one; an `expires` is
a time by beat's clock that a worker compares with its own, so that between machines whose clocks
differ by more every message would be dropped on arrival; and while Redis is away it logs a
traceback each second.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import Any

from celery.beat import Scheduler as CeleryScheduler
from celery.beat import SchedulingError
from celery.schedules import schedule
from redis.exceptions import RedisError

from notifier.client import UNREACHABLE
from notifier.outages import Outage

log = logging.getLogger(__name__)

MOST_WAITING = 10
"""While so many messages wait in a queue, beat adds none."""

_began, _mark = dt.datetime.now(dt.UTC), time.monotonic()


def steady_now() -> dt.datetime:
    """Return the time by the clock as it was at the start."""
    return _began + dt.timedelta(seconds=time.monotonic() - _mark)


class Scheduler(CeleryScheduler):
    """For `beat_scheduler`: the schedule is in memory, so that any number of beats may run."""

    _redis = Outage("Redis", "nothing is swept meanwhile")
    _closed = False

    def close(self) -> None:
        """Take note that Celery's handler of SIGTERM was here."""
        super().close()
        self._closed = True

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Publish what is due; end, if the handler's own SystemExit was lost on its way up."""
        if self._closed:
            raise SystemExit
        interval_s: float = super().tick(*args, **kwargs)
        return interval_s

    def setup_schedule(self) -> None:
        """Give every interval the steady clock; a crontab still follows the machine's."""
        super().setup_schedule()
        entries: list[Any] = [*self.schedule.values()]
        for entry in entries:
            entry.options.pop("expires", None)
            if type(entry.schedule) is schedule:
                entry.schedule.nowfun = steady_now  # type: ignore[attr-defined] # not in its stubs
                entry.last_run_at = steady_now()

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Publish a task that is due, unless enough wait; a failure costs one round."""
        if self._waiting(entry.options["queue"], producer) >= MOST_WAITING:
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            self._redis.begin(error.__context__ or error)
        else:
            self._redis.end()
            log.info("published %s", entry.task)

    def _waiting(self, queue: str, producer: Any) -> int:
        try:
            return int(producer.channel.client.llen(queue))
        except (*UNREACHABLE, RedisError):
            return 0  # publishing says what is wrong
