"""When to try again: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from notifier.errors import Reason

JITTER = 0.2
"""A delay is stretched or shrunk by up to this share, so that what failed together spreads out."""
LONGEST_RETRY_AFTER_S = 6 * 3600.0
"""The other side may ask for more; it gets no more."""
BLAMELESS_DELAY_S = 60.0
"""Between tries that don't count, such as while the site's settings are wrong."""


def next_delay(
    reason: Reason,
    attempts: int,
    schedule: Sequence[float],
    *,
    retry_after_s: float | None = None,
    chance: float,
) -> float | None:
    """Return the seconds to wait after a temporary failure, or None to give up.

    `attempts` counts those that failed, this one included; `chance` is a random number from 0
    to 1. The other side's `retry_after_s` is obeyed, up to six hours, never shortened by jitter.
    """
    if reason is Reason.RATE_LIMITED:
        return parking_s(retry_after_s)
    if not reason.counts:
        delay = BLAMELESS_DELAY_S
    elif attempts <= len(schedule):
        delay = schedule[attempts - 1]
    else:
        return None
    delay *= 1 + JITTER * (2 * chance - 1)
    return max(delay, min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))


def parking_s(retry_after_s: float | None) -> float:
    """Return for how many seconds to leave alone whoever said “too fast”, and perhaps how long."""
    if retry_after_s is None or retry_after_s <= 0:
        return BLAMELESS_DELAY_S
    return min(retry_after_s, LONGEST_RETRY_AFTER_S)
