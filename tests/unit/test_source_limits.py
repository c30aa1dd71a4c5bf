"""What a source may post."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from notifier.errors import InvalidEvent
from notifier.intake.source_limits import SourceLimits, check_depth, check_limits, limits_of
from notifier.models import Source


def test_none_are_the_sites() -> None:
    assert limits_of(Source(limits={})) == SourceLimits(0, 0, 20, 64)
    assert limits_of(Source(limits={"tags": 3})) == SourceLimits(tags=3)


@pytest.mark.parametrize(
    "limits",
    [{}, {"requests_per_minute": 1}, {"body_bytes": 1}, {"depth": 3}, {"depth": 20, "tags": 64}],
)
def test_good_limits_are_taken(limits: dict[str, int]) -> None:
    check_limits(limits)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ([], 'Write an object, such as {"requests_per_minute": 600}.'),
        (
            {"rate": 5},
            "rate: unknown limit; known are requests_per_minute, body_bytes, depth, tags.",
        ),
        ({"tags": 65}, "tags: write a whole number from 1 to 64."),
        ({"depth": 2}, "depth: write a whole number from 3 to 20."),
        ({"body_bytes": True}, "body_bytes: write a whole number from 1 to 2,147,483,647."),
        (
            {"requests_per_minute": 0.5},
            "requests_per_minute: write a whole number from 1 to 1,000,000.",
        ),
        (
            {"requests_per_minute": "5"},
            "requests_per_minute: write a whole number from 1 to 1,000,000.",
        ),
    ],
)
def test_bad_limits_say_what_to_write(limits: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check_limits(limits)
    assert refused.value.messages == [sentence]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if levels % 2 else {"a": value}
    return value


def test_depth_is_counted_as_for_all_events() -> None:
    source = Source(limits={"depth": 5})
    check_depth(source, {"a": nested(3)})
    check_depth(source, [{"a": nested(3)}] * 3)
    with pytest.raises(InvalidEvent, match="nested more than 5 deep"):
        check_depth(source, {"a": nested(4)})
    with pytest.raises(InvalidEvent, match="nested more than 20 deep"):
        check_depth(Source(), nested(50_000))
