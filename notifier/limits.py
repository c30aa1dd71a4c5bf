"""Rate limits as data: how much a provider takes, and who keeps count."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPELLING = re.compile(r"(\d+)/(\d*)([smhd])(?: burst (\d+))?")


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` messages in `seconds`, evenly spread, but for `burst` of them at once."""

    count: int
    seconds: float = 1.0
    burst: int = 1

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `4/s`, `100/h`, `60/30s burst 10`; raise `ValueError` that says how to write it."""
        found = _SPELLING.fullmatch(text.strip())
        if found:
            count, number, unit, burst = found.groups()
            rate = cls(int(count), int(number or 1) * _SECONDS[unit], int(burst or 1))
            if rate.count and rate.seconds and rate.burst:
                return rate
        raise ValueError(f"{text!r} is no rate; write it like 4/s, 100/h or 60/30s burst 10")

    @property
    def interval_s(self) -> float:
        """Seconds from one message to the next."""
        return self.seconds / self.count


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate, and whose it is: all with the same key share it, over all workers."""

    key: str
    rate: Rate
    lenient: bool = False
    """Whether a count that was lost, as in a new Redis, is taken for none."""


@dataclass(frozen=True, slots=True)
class Full:
    """A limit that lets nothing through now, and for how many seconds."""

    key: str
    wait_s: float


class Limiter(Protocol):
    """Keeps count for all workers."""

    def take(self, limits: Sequence[Limit]) -> Full | None:
        """Let one message through all of these limits, or through none: then say which is full.

        Raise `ConnectionError` where the count can't be had: then nothing may pass.
        """


class NoLimiter:
    """For media without limits: nobody counts."""

    def take(self, limits: Sequence[Limit]) -> Full | None:
        """Let everything through where there is no limit."""
        if limits:
            raise ConnectionError("there are limits, and nobody to keep count of them")
        return None


class ProcessLimiter:
    """Counts what this process lets through: GCRA, as over all workers; threads may share it."""

    MOST_KEYS = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        """Of each key: when all that was let through would have been sent, one each interval."""

    def take(self, limits: Sequence[Limit]) -> Full | None:
        """Let one message through all limits or none."""
        now = time.monotonic()
        with self._lock:
            for limit in limits:
                ahead = limit.rate.interval_s * (limit.rate.burst - 1)
                wait_s = self._until.get(limit.key, now) - ahead - now
                if wait_s > 0:
                    return Full(limit.key, wait_s)
            if len(self._until) > self.MOST_KEYS:
                self._until = {key: until for key, until in self._until.items() if until > now}
            for limit in limits:
                until = max(self._until.get(limit.key, now), now)
                self._until[limit.key] = until + limit.rate.interval_s
        return None
