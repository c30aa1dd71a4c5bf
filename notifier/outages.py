"""One line in the log when something that all work needs fails, and one when it is back."""

from __future__ import annotations

import logging
import threading
import time

from django.db import DataError, IntegrityError

log = logging.getLogger(__name__)

QUIET_S = 60.0
"""What fails again within so many seconds of the last line is not told again: a full disk fails by turns."""


class Outage:
    """What of `what` this process has seen, and told; threads may share it.

    `meanwhile` tells an operator what becomes of the work.
    """

    def __init__(self, what: str, meanwhile: str) -> None:
        self._what, self._meanwhile = what, meanwhile
        self._lock = threading.Lock()
        self._began: float | None = None
        self._told_at = -QUIET_S

    def begin(self, error: BaseException) -> None:
        """Say that it fails, and of what, unless that was said."""
        with self._lock:
            if self._began is not None or time.monotonic() - self._told_at < QUIET_S:
                return
            self._began = self._told_at = time.monotonic()
        cause = type(error).__name__
        if not isinstance(error, DataError | IntegrityError):  # these quote what was to be stored
            cause += f": {str(error).partition(chr(10))[0]}"
        log.warning("%s fails (%s); %s", self._what, cause, self._meanwhile)

    def end(self) -> None:
        """Say that it is back, if it failed."""
        with self._lock:
            began, self._began = self._began, None
        if began is not None:
            log.warning("%s works again, after %.0f s", self._what, time.monotonic() - began)


database = Outage("the database", "what was accepted waits for it; see DATABASE_URL")
"""The one of this process."""
