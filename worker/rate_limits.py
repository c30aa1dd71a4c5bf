"""Rate limits over all workers: GCRA on Redis's own clock, in one script.

For each limit Redis keeps one number: the time at which, one message each interval, all those let
through so far would have been sent. A message passes while that time is at most a burst ahead. All
limits of a message are looked at first, and only then taken from.

A limit that Redis does not know has been idle long enough to be forgotten, or Redis is new: then
nobody knows what was sent just before, so nothing but the bare rate passes until a burst would be
due again. `BORN` tells the two apart. A limit that is `lenient` takes both for idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from notifier.limits import Full, Limit
from worker.queues import UNREACHABLE, broker, redis_client

PREFIX = "notifier:limit:"
BORN = "notifier:limits-since"

_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local born = redis.call('GET', KEYS[1])
if not born or tonumber(born) > now then
  born = now
  redis.call('SET', KEYS[1], string.format('%.6f', now))
end
local taken = {}
for i = 2, #KEYS do
  local first = 3 * i - 5
  local interval, burst = tonumber(ARGV[first]), tonumber(ARGV[first + 1])
  local ahead = interval * (burst - 1)
  local since = ARGV[first + 2] == '1' and now or born + ahead
  local until_ = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), since, now)
  until_ = math.min(until_, now + ahead + interval)  -- where the clock was set back
  if until_ - ahead > now then
    return {i - 2, string.format('%.6f', until_ - ahead - now)}
  end
  taken[i] = {string.format('%.6f', until_ + interval), math.ceil(until_ + interval - now)}
end
for i, each in pairs(taken) do
  redis.call('SET', KEYS[i], each[1], 'EX', math.max(each[2], 1))
end
return false
"""


class RedisLimiter:
    """`notifier.limits.Limiter` on the broker's Redis; safe to share between threads."""

    def __init__(self) -> None:
        self._connection = broker()
        self._script: Any = None

    def take(self, limits: Sequence[Limit]) -> Full | None:
        """Let one message through all limits or none; see `notifier.limits.Limiter`."""
        if not limits:
            return None
        keys = [BORN, *(PREFIX + limit.key for limit in limits)]
        numbers = [
            number
            for limit in limits
            for number in (limit.rate.interval_s, limit.rate.burst, int(limit.lenient))
        ]
        try:
            answer = self._registered()(keys=keys, args=numbers)
        except UNREACHABLE as error:
            raise ConnectionError(f"Redis can't be reached ({type(error).__name__})") from error
        if answer is None:
            return None
        index, wait_s = answer
        return Full(limits[index].key, float(wait_s))

    def _registered(self) -> Any:
        # registered anew by redis-py itself whenever Redis has forgotten it
        if self._script is None:
            self._script = redis_client(self._connection).register_script(_SCRIPT)
        return self._script
