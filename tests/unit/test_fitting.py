"""Foreign values that are made to fit."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.intake.formats import fitting
from notifier.intake.formats.severity import level_of
from notifier.intake.plain import check_plain
from notifier.intake.schema import parse_event

TEXT = st.text(
    st.characters(codec=None, categories=None) | st.sampled_from("\0\ud800\udfff"), max_size=300
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@settings(deadline=None)
@given(JSON, st.dictionaries(TEXT, JSON, max_size=80), st.integers(3, 20))
def test_whatever_there_is_makes_an_event(value: object, parts: dict[str, Any], depth: int) -> None:
    parse_event(
        {
            "description": fitting.text(value) or "x",
            "incident_key": fitting.name(value) or "x",
            "tags": fitting.tags(parts.items(), 64),
            "metadata": fitting.metadata({**parts, "value": value}, depth),
            "details_url": fitting.url(value),
            "timestamp": fitting.moment(value),
            "expires": fitting.expiry(value),
            "actor": fitting.text(value, fitting.ACTOR_LENGTH),
        }
    )


@settings(deadline=None)
@given(TEXT, TEXT)
def test_names_tell_apart_what_is_different(one: str, other: str) -> None:
    assert (fitting.name(one) == fitting.name(other)) == (one == other)


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "x" * 256, "\udfff" * 300])
def test_a_name_that_can_not_be_kept_ends_in_a_digest(odd: str) -> None:
    name = fitting.name(odd)
    assert len(name) <= 255
    assert name.endswith(fitting.digest(odd))
    assert name == fitting.name(odd)
    check_plain(name)


def test_a_name_that_can_is_kept() -> None:
    assert fitting.name("x" * 255) == "x" * 255
    assert fitting.name(None) == ""
    assert fitting.name(17) == "17"


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert fitting.text("x" * 20_000) == "x" * 16_383 + "…"
    assert fitting.text("a\0b \ud800 ") == "a\ufffdb \ufffd"
    assert fitting.text({"a": 1}) == '{"a": 1}'
    assert fitting.text(True) == "true"
    assert fitting.text(nested(2000)).startswith('{"a": {"a"')
    assert fitting.name(nested(2000))


def test_tags_are_cleaned_told_once_and_no_more_than_fit() -> None:
    pairs = [("a b", "1"), ("a b", "1"), ("-x", "2"), ("", "3"), ("c", ""), ("d", None), ("é", "4")]
    assert fitting.tags(pairs, 64) == ["a_b=1", "_-x=2", "_=4"]
    assert fitting.tags([("long", "v" * 500)], 64) == ["long=" + "v" * 250 + "…"]
    assert len(fitting.tags([(f"k{n}", n) for n in range(100)], 64)) == 64


def test_metadata_is_pruned_where_it_is_too_deep_or_too_large() -> None:
    found = fitting.metadata({"deep": nested(2000)})
    check_plain({"metadata": found})
    assert json.dumps(found).count("a") == 17
    large = fitting.metadata({"texts": ["x" * 10_000] * 20, "kept": 7})
    assert large["kept"] == 7
    assert len(json.dumps(large)) <= 65_536
    huge = fitting.metadata({str(number): {"a": ["é" * 100] * 50} for number in range(3000)})
    assert 0 < len(json.dumps(huge)) <= 65_536
    assert fitting.metadata({"x": math.inf, "empty": {}, "none": None}) == {"x": "inf"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-23T09:30:00.123456789Z", dt.datetime(2026, 11, 23, 9, 30, 0, 123456, dt.UTC)),
        ("2026-11-23T09:30:00+01:00", dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)),
        ("2026-11-23T09:30:00", dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)),
        (1_764_000_000, dt.datetime(2025, 11, 24, 16, 0, tzinfo=dt.UTC)),
        (1_764_000_000_000, dt.datetime(2025, 11, 24, 16, 0, tzinfo=dt.UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("2126-11-23T09:30:00Z", None),
        ("yesterday", None),
        (True, None),
        (math.nan, None),
        (10**400, None),
        (None, None),
    ],
)
def test_a_moment_is_read_or_left_out(written: object, read: dt.datetime | None) -> None:
    assert fitting.moment(written) == read


@pytest.mark.parametrize(
    ("said", "level"),
    [
        *(("critical", 1), ("PAGE", 1), (" emergency ", 1), ("error", 2), ("high", 2)),
        *(("major", 2), ("warning", 3), ("warn", 3), ("minor", 4), ("low", 4), ("info", 5)),
        *(("none", 5), ("debug", 5), (2, 2), ("2", 2), (0, 4), (True, 4), ("?", 4), (None, 4)),
        *((math.nan, 4), ([], 4)),
    ],
)
def test_words_have_levels(said: object, level: int) -> None:
    assert level_of(said, 4) == level
