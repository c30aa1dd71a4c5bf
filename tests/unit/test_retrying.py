"""When to try again: a table, and two laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import Reason
from notifier.retrying import BLAMELESS_DELAY_S, JITTER, LONGEST_RETRY_AFTER_S, next_delay

SCHEDULE = (5, 30, 120)
reasons = st.sampled_from(Reason)
chances = st.floats(0, 1)


@pytest.mark.parametrize(
    ("reason", "attempts", "retry_after_s", "delay"),
    [
        (Reason.TIMEOUT, 1, None, 5),
        (Reason.TIMEOUT, 2, None, 30),
        (Reason.TIMEOUT, 3, None, 120),
        (Reason.TIMEOUT, 4, None, None),
        (Reason.BUG, 4, None, None),
        (Reason.SERVER_ERROR, 1, 60, 60),
        (Reason.SERVER_ERROR, 2, 7, 30),
        (Reason.SERVER_ERROR, 1, 10**9, LONGEST_RETRY_AFTER_S),
        (Reason.SERVER_ERROR, 1, -5, 5),
        (Reason.SERVER_ERROR, 4, 60, None),
        (Reason.RATE_LIMITED, 1, 90, 90),
        (Reason.RATE_LIMITED, 1, 7, 7),
        (Reason.RATE_LIMITED, 99, None, BLAMELESS_DELAY_S),
        (Reason.RATE_LIMITED, 99, -1, BLAMELESS_DELAY_S),
        (Reason.RATE_LIMITED, 1, 10**9, LONGEST_RETRY_AFTER_S),
        (Reason.DEFERRED, 1, None, 5),
        (Reason.MISCONFIGURED, 99, None, BLAMELESS_DELAY_S),
        (Reason.AUTH, 99, None, BLAMELESS_DELAY_S),
    ],
)
def test_the_next_delay(
    reason: Reason, attempts: int, retry_after_s: float | None, delay: float | None
) -> None:
    assert next_delay(reason, attempts, SCHEDULE, retry_after_s=retry_after_s, chance=0.5) == delay


@given(reasons, st.integers(1, 3), chances)
def test_jitter_stays_within_its_share(reason: Reason, attempts: int, chance: float) -> None:
    plain = next_delay(reason, attempts, SCHEDULE, chance=0.5)
    delay = next_delay(reason, attempts, SCHEDULE, chance=chance)
    assert plain is not None
    assert delay is not None
    assert plain * (1 - JITTER) - 1e-9 <= delay <= plain * (1 + JITTER) + 1e-9


@given(reasons, st.integers(1, 3), chances, st.floats(0, LONGEST_RETRY_AFTER_S))
def test_the_other_side_is_never_asked_before_it_said(
    reason: Reason, attempts: int, chance: float, retry_after_s: float
) -> None:
    delay = next_delay(reason, attempts, SCHEDULE, retry_after_s=retry_after_s, chance=chance)
    assert delay is not None
    assert delay >= retry_after_s
