"""Celery's scheduler, such that Redis being away is one line in its log, not a traceback a second."""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import Scheduler as CeleryScheduler
from celery.beat import SchedulingError

log = logging.getLogger(__name__)


class Scheduler(CeleryScheduler):
    """For `beat_scheduler`: the schedule is in memory, so that any number of beats may run."""

    _publishing = True

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Publish a task that is due; a failure costs one round."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            if self._publishing:
                reason = type(error.__context__).__name__
                log.warning("Redis takes no messages (%s); nothing is swept meanwhile", reason)
            self._publishing = False
        else:
            if not self._publishing:
                log.warning("Redis takes messages again")
            self._publishing = True
            log.info("published %s", entry.task)
