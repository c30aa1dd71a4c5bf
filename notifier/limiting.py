"""Counting over all processes what comes in over HTTP; while Redis is away, in each by itself.

Letting through is the safe side here: what is refused may be an alarm, and an alarm that is taken
costs a row. So an outage of Redis makes a limit looser, never closed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

from django.utils.module_loading import import_string

from notifier import conf
from notifier.limits import Full, Limit, Limiter, ProcessLimiter
from notifier.outages import Outage

LOCAL_AFTER_FAILURE_S = 10.0
"""So long no request waits for a Redis that just failed."""


class RequestLimiter:
    """The site's limiter, or this process's own for a while after that one failed."""

    def __init__(self, shared: Limiter | None) -> None:
        self._shared = shared
        self._own = ProcessLimiter()
        self._own_until = 0.0
        self._outage = Outage("Redis", "requests are counted in each process by itself")

    def take(self, limit: Limit) -> Full | None:
        """Let a request through, or say for how long not; never raises for want of Redis."""
        limit = replace(limit, lenient=True)
        if self._shared and time.monotonic() >= self._own_until:
            try:
                full = self._shared.take([limit])
            except ConnectionError as error:
                self._own_until = time.monotonic() + LOCAL_AFTER_FAILURE_S
                self._outage.begin(error)
            else:
                self._outage.end()
                return full
        return self._own.take([limit])


@cache
def _load(path: str | None) -> RequestLimiter:
    return RequestLimiter(import_string(path)() if path else None)


def request_limiter() -> RequestLimiter:
    """Return the site's, made on first use."""
    return _load(conf.LIMITER())
