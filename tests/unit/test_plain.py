"""Strict JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import InvalidEvent
from notifier.intake.plain import MAX_DEPTH, check_plain, parse_json

storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | storable,
    lambda inner: st.lists(inner) | st.dictionaries(storable, inner),
    max_leaves=10,
)


def nested(depth: int) -> Any:
    """Return a list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(plain)
def test_what_json_can_say_comes_through_unchanged(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    check_plain(value)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "body: not JSON: Expecting value at line 1, column 1"),
        (b'{"a":\n tru}', "body: not JSON: Expecting value at line 2, column 2"),
        (b"a=b", "body: not JSON: Expecting value at line 1, column 1"),
        (b'{"a": "\xff"}', "body: not UTF-8 (byte 7); send JSON encoded as UTF-8"),
        (b'{"a": NaN}', "body: NaN is no JSON; leave the number out or write null"),
        (b"[Infinity]", "body: Infinity is no JSON; leave the number out or write null"),
        (b"[-Infinity]", "body: -Infinity is no JSON; leave the number out or write null"),
        (b'{"a": 1, "b": 2, "a": 1}', "a: the key occurs twice in one object"),
        (b'[{"x": {"b": 1, "b": 1}}]', "b: the key occurs twice in one object"),
        (
            rb'{"\ud800": 1, "\ud800": 2}',
            "body: holds half of a surrogate pair, which is no character",
        ),
        (b"[" + b"1" * 5000 + b"]", "body: holds a number of too many digits"),
        (b"[" * 20_000 + b"]" * 20_000, "body: nested more than 20 deep"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "body: nested more than 20 deep"),
        (b"[" * 20_000, "body: nested more than 20 deep"),
    ],
)
def test_a_body_that_is_no_strict_json_is_refused_with_a_sentence(
    body: bytes, sentence: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parse_json(body)
    assert str(refused.value) == sentence


def test_a_repeated_key_among_very_many_is_found_at_once() -> None:
    many = ",".join(f'"{number}": 1' for number in range(200_000))
    with pytest.raises(InvalidEvent, match="199999: the key occurs twice"):
        parse_json(f'{{{many}, "199999": 1}}'.encode())


def test_a_long_repeated_key_is_cut_in_the_sentence() -> None:
    key = "k" * 10_000
    with pytest.raises(InvalidEvent, match=r"^k{80}: the key"):
        parse_json(f'{{"{key}": 1, "{key}": 2}}'.encode())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": "x\0y"}, "a: holds a NUL character; remove it"),
        ({"a": ["x", "\0"]}, "a[1]: holds a NUL character; remove it"),
        ({"a": {"b": {"\0": 1}}}, "a.b: holds a NUL character; remove it"),
        ({"\0": 1}, "event: holds a NUL character; remove it"),
        ({"a": "\ud800"}, "a: holds half of a surrogate pair, which is no character"),
        ({"a": {"\udfff": 1}}, "a: holds half of a surrogate pair, which is no character"),
        ({"a": float("nan")}, "a: not a finite number"),
        ({"a": [float("inf")]}, "a[0]: not a finite number"),
        (json.loads("[1e999]"), "[0]: not a finite number"),
        ({"a": {1: 2}}, "a: every key must be a string"),
        ("\0", "event: holds a NUL character; remove it"),
    ],
)
def test_what_no_database_holds_is_refused_at_its_place(value: object, sentence: str) -> None:
    with pytest.raises(InvalidEvent, match=f"^{re.escape(sentence)}$"):
        check_plain(value)


def test_the_place_begins_where_the_event_stands() -> None:
    with pytest.raises(InvalidEvent, match=r"^\[3\]\.tags\[0\]: holds a NUL"):
        check_plain({"tags": ["\0"]}, path="[3]")


def test_twenty_levels_are_plain_and_twenty_one_are_not() -> None:
    check_plain(nested(MAX_DEPTH))
    with pytest.raises(InvalidEvent, match="nested more than 20 deep"):
        check_plain(nested(MAX_DEPTH + 1))


def test_a_structure_that_holds_itself_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(InvalidEvent, match="nested more than 20 deep"):
        check_plain(endless)
