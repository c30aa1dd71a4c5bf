"""The breaker: a table, and laws."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.breaker import IN_A_ROW, LONGEST_PAUSE_S, WINDOW_TOTAL, Circuit, Heard, pause_s
from notifier.errors import Breaker, Reason

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
WELL, FAILED, SLOW = Heard(Breaker.WELL), Heard(Breaker.COUNTS), Heard(Breaker.COUNTS, slow=True)
OPENS, SILENT = Heard(Breaker.OPENS), Heard(Breaker.SILENT)

heard = st.lists(st.sampled_from([WELL, FAILED, SLOW, OPENS, SILENT]), max_size=40)


@pytest.mark.parametrize(
    ("said", "trips"),
    [
        ([FAILED] * (IN_A_ROW - 1), 0),
        ([FAILED] * IN_A_ROW, 1),
        ([FAILED] * 4 + [WELL] + [FAILED] * 4, 0),
        ([FAILED] * 4 + [SILENT] + [FAILED], 1),
        ([SLOW, SLOW], 1),
        ([OPENS], 1),
        ([SILENT] * 50, 0),
        ([FAILED, WELL] * (WINDOW_TOTAL // 2), 0),  # its last word was an answer
        ([FAILED, WELL] * 9 + [WELL, FAILED], 1),  # 10 of 20
        ([FAILED, WELL] * 9 + [FAILED], 0),  # 10 of 19
        ([FAILED, WELL] * 9 + [WELL, WELL, FAILED], 0),  # 10 of 21
        ([FAILED, WELL, WELL] * WINDOW_TOTAL + [FAILED], 0),
    ],
)
def test_it_opens_on_failures_in_a_row_or_by_their_share(said: list[Heard], trips: int) -> None:
    assert Circuit().after(said, NOW).trips == trips


def test_half_open_one_failure_opens_it_again_and_one_answer_closes_it() -> None:
    opened = Circuit().after([OPENS], NOW)
    assert opened.after([FAILED], NOW).trips == 2
    assert opened.after([WELL], NOW).trips == 0
    assert opened.after([SILENT], NOW).trips == 1


def test_the_share_is_that_of_one_window() -> None:
    circuit = Circuit().after([FAILED, WELL] * 9, NOW)
    later = NOW + dt.timedelta(minutes=2)
    assert circuit.after([FAILED, WELL, FAILED], later).trips == 0


def test_a_window_is_over_after_exactly_a_minute() -> None:
    circuit = Circuit().after([FAILED, WELL] * 10, NOW)
    assert circuit.after([FAILED], NOW + dt.timedelta(seconds=59)).trips == 1
    assert circuit.after([FAILED], NOW + dt.timedelta(seconds=60)).trips == 0


def test_after_a_quiet_window_there_is_nothing_to_remember() -> None:
    circuit = Circuit().after([FAILED, WELL], NOW)
    assert circuit != Circuit()
    assert circuit.after([WELL], NOW + dt.timedelta(minutes=2)) == Circuit()


def test_a_host_that_is_dead_for_months_still_has_a_pause() -> None:
    circuit = Circuit()
    for _ in range(3000):
        circuit = circuit.after([OPENS], NOW)
    assert 240 <= pause_s(circuit.trips, 10, 0.5) <= 360


@given(heard)
def test_it_trips_at_most_once_for_what_came_in_together(said: list[Heard]) -> None:
    assert Circuit().after(said, NOW).trips <= 1


@given(heard)
def test_any_last_answer_closes_it(said: list[Heard]) -> None:
    circuit = Circuit(failures=7, trips=3).after([*said, WELL], NOW)
    assert (circuit.failures, circuit.trips) == (0, 0)


@given(st.integers(1, 60), st.floats(0, 1))
def test_pauses_double_up_to_five_minutes(trips: int, chance: float) -> None:
    assert 8 <= pause_s(trips, 10, chance) <= 1.2 * LONGEST_PAUSE_S + 1e-9
    assert pause_s(1, 10, 0.5) == 10
    assert pause_s(2, 10, 0.5) == 20


def test_what_a_recipient_or_a_plugin_is_to_blame_for_opens_no_breaker() -> None:
    blameless = {each for each in Reason if each.breaker in {Breaker.WELL, Breaker.SILENT}}
    assert {"deferred", "gone", "rejected", "rate_limited", "bug", "too_large"} <= blameless
    assert {each for each in Reason if not each.counts} == {
        Reason.AUTH,
        Reason.MISCONFIGURED,
        Reason.RATE_LIMITED,
        Reason.TEMPLATE,
        Reason.UNREADABLE,
    }
