"""What the benchmark makes of its numbers: ratios, targets, the cost model."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import costs, report
from bench.figures import Target, at_least, at_most, share, short, shown
from bench.findings import findings
from bench.registry import BY_KEY, FIGURES

numbers = st.floats(min_value=0.001, max_value=1e6)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (at_least(600), 600, True),
        (at_least(600), 599, False),
        (at_most(30), 30, True),
        (at_most(30), 31, False),
        (share(1.2), 1.2, True),
        (share(1.2), 1.19, False),
    ],
)
def test_a_target_is_met_at_its_limit_and_not_beyond(
    target: Target, value: float, met: bool
) -> None:
    assert target.met_by(value) is met


def test_a_share_is_held_against_the_ceiling_of_its_own_repetition() -> None:
    # the machine was busy during two of them: both fell, the ratio did not
    found = findings({"fan_out.mail": [1300, 650, 700], "raw.mail": [1000, 500, 500]})

    first = next(each for each in found if each.figure.key == "fan_out.mail")

    assert (first.ratio, first.reached) == (1.3, True)


def test_a_share_without_its_ceiling_is_neither_reached_nor_missed() -> None:
    [first, _] = findings({"fan_out.mail": [1300]})

    assert first.reached is None


def test_only_the_first_ceiling_decides() -> None:
    values = {"fan_out.mail": [1300], "raw.mail": [1000], "raw.mail.html": [2000]}

    assert [each.reached for each in findings(values) if each.figure.key == "fan_out.mail"] == [
        True,
        None,
    ]


def test_keys_are_unique_and_every_ceiling_is_a_figure() -> None:
    assert len(BY_KEY) == len(FIGURES)
    assert {key for figure in FIGURES for key in figure.ceilings} <= BY_KEY.keys()


def test_every_share_has_a_ceiling() -> None:
    shares = [figure for figure in FIGURES if figure.target and figure.target.share]

    assert shares
    assert all(figure.ceilings for figure in shares)


@given(event=numbers, notification=numbers)
def test_the_model_gives_back_what_the_two_runs_were_made_of(
    event: float, notification: float
) -> None:
    values = {
        "cost.one.cpu.events": [event + notification],
        "cost.many.cpu.events": [event / costs.FAN + notification],
    }

    found = costs.model(values)["cpu.events"]

    scale = event + notification
    assert math.isclose(found.event, event, abs_tol=scale * 1e-9)
    assert math.isclose(found.notification, notification, abs_tol=scale * 1e-9)


def test_noise_makes_no_cost_negative() -> None:
    values = {"cost.one.cpu.events": [1.0], "cost.many.cpu.events": [1.1]}

    found = costs.model(values)["cpu.events"]

    assert (found.event, found.notification) == (0.0, 1.0)


def test_what_ends_first_stands_first() -> None:
    each = {"cpu.events": 1.0, "cpu.medium": 1.0, "cpu.database": 0.5, "cpu.redis": 0.01}
    each |= {"database.wal": 3000.0}
    values = {
        f"cost.{case}.{key}": [value] for case in ("one", "many") for key, value in each.items()
    }

    ends = costs.limits(values, fan=1)

    assert [limit.rate for limit in ends] == sorted(limit.rate for limit in ends)
    assert (ends[0].title, round(ends[0].rate)) == ("PostgreSQL, 16 cores", 22_400)


def test_a_part_that_cost_nothing_measurable_is_no_limit() -> None:
    values = {f"cost.{case}.cpu.redis": [0.0] for case in ("one", "many")}

    assert costs.limits(values, fan=1) == []


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (1.5, "1.50"), (3, "3"), (12_345.6, "12,346")]
)
def test_numbers_are_shown_with_about_three_digits(value: float, text: str) -> None:
    assert short(value) == text


def test_a_range_is_shown_only_where_it_was_repeated() -> None:
    assert (shown([5]), shown([3, 5, 4])) == ("5", "4 (3-5)")


def test_the_report_leaves_out_what_was_not_measured_and_marks_what_was_missed() -> None:
    runs = {"PostgreSQL": {"http.single": [599.0]}, "SQLite": {"http.single": [100.0]}}

    text = report.markdown(runs, "full", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))

    assert (
        "| intake over HTTP, one event a request | events/s | 599 | ≥ 600 | **no** | 100 |" in text
    )
    assert "cost model" not in text
