"""Celery's consumer, such that it refuses every message it can't make a task of, in one log line.

Celery's own ends the worker over a body of the wrong shape, after putting the message back for the
next one to die of; and what it refuses, it logs with its whole text.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

log = logging.getLogger(__name__)

UNREADABLE = (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError)
"""What Celery stumbles with over a message of the wrong shape."""
SHOWN_NAME = 100


class Consumer(CeleryConsumer):
    """For `worker_consumer`."""

    received_at = 0.0
    """When the last message came, whatever it was, by the monotonic clock."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return what is called with each message."""
        handle = super().create_task_handler(*args, **kwargs)

        def handle_or_refuse(message: Any) -> None:
            self.received_at = time.monotonic()
            if isinstance(message.headers, dict):
                message.headers["timelimit"] = None  # ours hold, and a wrong one blocks a process
            try:
                handle(message)
            except UNREADABLE as error:
                self._refuse(message, f"it can't be read ({type(error).__name__})")

        return handle_or_refuse

    def on_unknown_message(self, _body: Any, message: Any) -> None:
        self._refuse(message, "it names no task")

    def on_unknown_task(self, _body: Any, message: Any, error: Exception) -> None:
        self._refuse(message, f"there is no task {str(error)[:SHOWN_NAME]}; an older version?")

    def on_invalid_task(self, _body: Any, message: Any, error: Exception) -> None:
        self._refuse(message, f"it is no valid task ({type(error).__name__})")

    def on_decode_error(self, message: Any, error: Exception) -> None:
        self._refuse(message, f"it can't be decoded ({type(error).__name__})")

    def _refuse(self, message: Any, why: str) -> None:
        queue = message.delivery_info.get("routing_key")
        log.error("queue %s: refused a message: %s", queue, why)
        message.reject_log_error(log, self.connection_errors)  # type: ignore[attr-defined]
