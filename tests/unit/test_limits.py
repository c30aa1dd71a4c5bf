"""Rates as people write them."""

from __future__ import annotations

import pytest

from notifier import conf
from notifier.limits import Limit, NoLimiter, Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("4/s", Rate(4)),
        ("100/h", Rate(100, 3600)),
        ("60/30s burst 10", Rate(60, 30, 10)),
        ("1/2m", Rate(1, 120)),
        (" 500/d ", Rate(500, 86400)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "4", "4/", "/s", "0/s", "4/0s", "4/s burst 0", "4 / s", "x/s"]
)
def test_what_is_no_rate_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 4/s"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({}, True),
        ({"email": {"medium": "14/s", "host": "", "destination": "1/10s"}}, True),
        ({"email": {"medium": "often"}}, False),
        ({"email": {"world": "1/s"}}, False),
        ({"email": "14/s"}, False),
        (["email"], False),
    ],
)
def test_a_site_is_told_of_rates_that_are_none(value: object, valid: bool) -> None:
    assert conf.RATE_LIMITS.valid(value) is valid  # type: ignore[arg-type] # on purpose


def test_without_anybody_to_count_nothing_passes_a_limit() -> None:
    assert NoLimiter().take([]) is None
    with pytest.raises(ConnectionError):
        NoLimiter().take([Limit("x", Rate(1))])
