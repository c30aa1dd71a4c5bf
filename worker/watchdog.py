"""Ends a worker that is alive and consumes nothing, so that its supervisor starts it again.

It happens after a network that swallowed packets: the connections look open and nothing comes.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from celery.signals import worker_ready
from celery.worker import state

from notifier import conf
from worker.queues import CeleryQueue
from worker.stopping import stopping

log = logging.getLogger(__name__)

EXIT_DEAF = 75
"""EX_TEMPFAIL of sysexits.h: start it again."""
CHECKS = 12
"""So often it looks, in the time after which a worker counts as deaf."""


class Watchdog:
    """Knows since when messages wait for a worker that does nothing."""

    def __init__(self, consumer: Any, deaf_after_s: float) -> None:
        """Watch a `worker.consumer.Consumer`."""
        self._consumer = consumer
        self._deaf_after_s = deaf_after_s
        self._queue = CeleryQueue()  # connections of its own, with short limits
        self._well_at = time.monotonic()

    def watch(self) -> None:
        """Look until the process ends, one way or the other."""
        while True:
            time.sleep(self._deaf_after_s / CHECKS)
            waiting = self._waiting()
            if not waiting or state.active_requests or stopping():
                self._well_at = time.monotonic()
            silent_s = time.monotonic() - max(self._well_at, self._consumer.received_at)
            if silent_s > self._deaf_after_s:
                self._end(silent_s, waiting)

    def _waiting(self) -> list[str]:
        """Return this worker's queues that hold messages; none while Redis can't be asked."""
        try:
            lengths = self._queue.lengths()
        except ConnectionError:
            return []
        return [name for name in self._consumer.app.amqp.queues.consume_from if lengths.get(name)]

    def _end(self, silent_s: float, waiting: list[str]) -> None:
        log.critical(
            "messages wait in %s, and this worker has received nothing for %.0f s: it ends with "
            "exit code %d, to be started again",
            ", ".join(waiting),
            silent_s,
            EXIT_DEAF,
        )
        for child in self._consumer.pool.info.get("processes", []):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os._exit(EXIT_DEAF)  # the main thread may hang in Redis, and would not hear of an exception


def _start(sender: Any, **_kwargs: Any) -> None:
    watchdog = Watchdog(sender, conf.DEAF_AFTER_S())
    threading.Thread(target=watchdog.watch, name="watchdog", daemon=True).start()


def connect() -> None:
    """Watch the worker of this process, once it is ready."""
    worker_ready.connect(_start, weak=False, dispatch_uid="notifier.watchdog")
