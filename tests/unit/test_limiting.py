"""Counting requests, with Redis and without."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import time_machine

from notifier.limiting import LOCAL_AFTER_FAILURE_S, RequestLimiter
from notifier.limits import Full, Limit, ProcessLimiter, Rate

LIMIT = Limit("source:1", Rate(60, 60, burst=3))


class Shared:
    """A limiter that is away until it is told otherwise."""

    away = True
    asked = 0

    def take(self, limits: Sequence[Limit]) -> Full | None:
        self.asked += 1
        if self.away:
            raise ConnectionError
        return Full(limits[0].key, 7)


def test_a_process_lets_a_burst_through_and_then_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = ProcessLimiter()
    now = 1000.0
    monkeypatch.setattr("notifier.limits.time.monotonic", lambda: now)
    assert [limiter.take([LIMIT]) for _ in range(3)] == [None] * 3
    assert limiter.take([LIMIT]) == Full("source:1", 1.0)
    assert limiter.take([Limit("source:2", LIMIT.rate)]) is None
    now += 1
    assert limiter.take([LIMIT]) is None
    assert limiter.take([LIMIT])
    now += 60
    assert [bool(limiter.take([LIMIT])) for _ in range(4)] == [False, False, False, True]


def test_a_process_forgets_what_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = ProcessLimiter()
    now = 1000.0
    monkeypatch.setattr("notifier.limits.time.monotonic", lambda: now)
    for number in range(limiter.MOST_KEYS + 1):
        limiter.take([Limit(str(number), LIMIT.rate)])
    now += 60
    limiter.take([LIMIT])
    assert len(limiter._until) == 1


def test_while_redis_is_away_each_process_counts_and_asks_it_no_more_for_a_while() -> None:
    shared = Shared()
    with time_machine.travel(1000, tick=False):
        limiter = RequestLimiter(shared)
        assert [limiter.take(LIMIT) for _ in range(3)] == [None] * 3
        assert limiter.take(LIMIT)
        assert shared.asked == 1


def test_when_it_is_back_it_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, now = Shared(), 1000.0
    monkeypatch.setattr("notifier.limiting.time.monotonic", lambda: now)
    limiter = RequestLimiter(shared)
    assert limiter.take(LIMIT) is None
    shared.away = False
    now += LOCAL_AFTER_FAILURE_S
    assert limiter.take(LIMIT) == Full("source:1", 7)
