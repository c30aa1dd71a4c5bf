"""Rate limits over all workers, on a real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import redis

from notifier.limiting import RequestLimiter, request_limiter
from notifier.limits import Limit, Rate
from servers.redis import RedisServer
from worker.rate_limits import RedisLimiter

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

FAST = Rate(50, 1, burst=5)


@pytest.fixture
def client(redis_server: RedisServer, settings: Settings) -> Iterator[redis.Redis]:
    """An empty Redis that has kept count for long, so that bursts are due."""
    settings.NOTIFIER_REDIS_URL = redis_server.url
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.set("notifier:limits-since", 0)
        yield client


def taken_within(window_s: float, limits: list[Limit], workers: int = 4) -> list[float]:
    """Let some workers, each with its own connection, take all they get; return when each passed."""
    moments: list[float] = []
    ends = time.monotonic() + window_s

    def work() -> None:
        limiter = RedisLimiter()
        while time.monotonic() < ends:
            full = limiter.take(limits)
            if full is None:
                moments.append(time.monotonic())
            else:
                time.sleep(min(full.wait_s, 0.2))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(moments)


def most_in(window_s: float, moments: list[float]) -> int:
    """Return the largest number of moments in any window of that length."""
    return max(
        sum(1 for other in moments[index:] if other < start + window_s)
        for index, start in enumerate(moments)
    )


def test_four_workers_together_never_exceed_a_rate_and_use_it_up(client: redis.Redis) -> None:
    moments = taken_within(2.0, [Limit("x", FAST)])
    for window_s in (0.1, 0.5, 1.0):
        # the moments are this process's, Redis counted a little earlier
        assert most_in(window_s, moments) <= FAST.count * window_s + FAST.burst + 1
    assert len(moments) >= 0.95 * 2.0 * FAST.count


def test_all_limits_must_let_it_through_and_none_is_used_up_otherwise(client: redis.Redis) -> None:
    limiter = RedisLimiter()
    wide, narrow = Limit("wide", Rate(100, 1, burst=100)), Limit("narrow", Rate(1, 60))
    assert limiter.take([wide, narrow]) is None
    for _ in range(200):
        full = limiter.take([wide, narrow])
        assert full
        assert full.key == "narrow"
        assert 50 < full.wait_s <= 60
    assert limiter.take([wide]) is None


def test_a_burst_passes_at_once_and_then_the_rate(client: redis.Redis) -> None:
    limiter = RedisLimiter()
    limit = Limit("x", Rate(1, 60, burst=3))
    assert [limiter.take([limit]) is None for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_clock_of_redis_that_is_set_back_silences_nobody(client: redis.Redis) -> None:
    ahead = float(client.time()[0]) + 3600
    client.set("notifier:limit:x", ahead)
    client.set("notifier:limits-since", ahead)
    full = RedisLimiter().take([Limit("x", FAST)])
    assert full is None or full.wait_s < 1


def test_an_idle_limit_leaves_nothing_behind(client: redis.Redis) -> None:
    RedisLimiter().take([Limit("x", Rate(100, 1))])
    assert 0 < client.ttl("notifier:limit:x") <= 1


@pytest.mark.parametrize("forget", [redis.Redis.flushall, redis.Redis.script_flush])
def test_a_redis_that_forgot_everything_lets_no_burst_through(
    client: redis.Redis, forget: Callable[[redis.Redis], object]
) -> None:
    limiter = RedisLimiter()
    limit = Limit("x", Rate(2, 1, burst=100))
    while limiter.take([limit]) is None:
        pass
    forget(client)
    passed = sum(limiter.take([limit]) is None for _ in range(300))
    assert passed <= 2


def test_requests_are_counted_over_all_web_processes(client: redis.Redis) -> None:
    limit = Limit("source:1", Rate(2, 60, burst=2))
    one, other = RequestLimiter(RedisLimiter()), RequestLimiter(RedisLimiter())
    client.set("notifier:limits-since", time.time() - 3600)
    assert one.take(limit) is None
    assert other.take(limit) is None
    full = one.take(limit)
    assert full
    assert 0 < full.wait_s <= 30


def test_the_sites_limiter_is_the_workers(settings: Settings) -> None:
    del settings.NOTIFIER_LIMITER
    assert isinstance(request_limiter()._shared, RedisLimiter)


def test_while_redis_is_away_requests_are_let_through_up_to_the_rate(settings: Settings) -> None:
    settings.NOTIFIER_REDIS_URL = "redis://127.0.0.1:1/0"
    limiter = RequestLimiter(RedisLimiter())
    limit = Limit("source:1", Rate(2, 60, burst=2))
    assert [bool(limiter.take(limit)) for _ in range(3)] == [False, False, True]


def test_while_redis_is_away_nobody_knows_and_nothing_passes(settings: Settings) -> None:
    settings.NOTIFIER_REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(ConnectionError, match="Redis can't be reached"):
        RedisLimiter().take([Limit("x", FAST)])


def test_it_goes_on_after_redis_was_restarted(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    limiter = RedisLimiter()
    limit = Limit("x", FAST)
    assert limiter.take([limit]) is None
    redis_server.restart()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            full = limiter.take([limit])
        except ConnectionError:
            continue
        if full is None:
            return
    pytest.fail("the limiter did not come back")


def test_a_lenient_limit_has_its_burst_in_a_new_redis(client: redis.Redis) -> None:
    client.flushall()
    limiter = RedisLimiter()
    slow = Rate(1, 60, burst=5)
    passed = [limiter.take([Limit("a source", slow, lenient=True)]) for _ in range(6)]
    assert [full is None for full in passed] == [True] * 5 + [False]
    assert [limiter.take([Limit("a medium", slow)]) is None for _ in range(2)] == [True, False]


def test_requests_are_let_through_by_a_new_redis(client: redis.Redis) -> None:
    client.flushall()
    limiter = RequestLimiter(RedisLimiter())
    limit = Limit("api:7", Rate(1, 60, burst=3))
    assert [limiter.take(limit) is None for _ in range(4)] == [True, True, True, False]
