"""What the bare client lets pass is an event for the server, and the other way round."""

from __future__ import annotations

import datetime as dt
import json
import string
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.client import rules
from notifier.client.events import compose, compose_many
from notifier.conditions import EventType
from notifier.errors import InvalidEvent
from notifier.ids import event_id_for
from notifier.intake import notifying, schema
from notifier.intake.schema import parse_event

text = st.text(max_size=12)
words = st.text(string.ascii_letters + " =:/é", max_size=12)
moments = st.datetimes(
    dt.datetime(1998, 1, 1),  # noqa: DTZ001 - the zone is drawn
    dt.datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC) | st.none() | st.timezones(),  # type: ignore[arg-type]
)
tags = st.lists(words | st.from_regex(r"\A[a-z]{1,3}=[a-z ]{1,3}\Z"), max_size=4)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
given_fields = st.fixed_dictionaries(
    {"description": text},
    optional={
        "type": st.sampled_from([*get_args(EventType), "", "XXX"]),
        "level": st.integers(-1, 7) | st.booleans(),
        "tags": tags | st.dictionaries(words, words | st.integers(), max_size=3),
        "incident_key": text,
        "recipients": st.lists(text, max_size=3),
        "timestamp": moments,
        "expires": moments,
        "details_url": words | st.just("https://shop.example/7"),
        "metadata": st.dictionaries(text, anything, max_size=3),
        "source_event_id": text,
    },
)


def passes_here(fields: dict[str, Any]) -> str | None:
    """Return what would be sent, or None where the client refuses."""
    try:
        return compose(fields, source="shop").body
    except InvalidEvent:
        return None


def passes_there(fields: dict[str, Any]) -> bool:
    """Say whether `notify()` would take the same."""
    try:
        parse_event(notifying._plain(fields | {"source": "shop"}))
    except InvalidEvent:
        return False
    return True


@settings(deadline=None, max_examples=500)
@given(given_fields)
@example({"description": "\x1f"})  # a blank for Python alone
@example({"description": "x", "details_url": "https://shop.example/\x1f"})
def test_the_client_refuses_what_the_server_would_and_nothing_else(fields: dict[str, Any]) -> None:
    body = passes_here(fields)
    assert (body is not None) == passes_there(fields)
    if body is not None:
        parse_event(json.loads(body))


@pytest.mark.parametrize("at_most", [True, False])
@pytest.mark.parametrize(
    ("field", "most", "of"),
    [
        ("description", 16_384, "x"),
        ("incident_key", 255, "x"),
        ("source_event_id", 255, "x"),
        ("details_url", 2048, "https://" + "x" * 2040),
        ("recipients", 254, ["x"]),
        ("tags", 256, ["a=" + "x" * 254]),
    ],
)
def test_both_draw_the_line_at_the_same_length(
    field: str, most: int, of: Any, at_most: bool
) -> None:
    one = of[0] if isinstance(of, list) else of
    value: Any = (one * most)[:most] + ("" if at_most else "x")
    fields = {"description": "x", field: [value] if isinstance(of, list) else value}
    if field in {"recipients", "tags"} and len(one) == 1:
        fields[field] = [one * (most if at_most else most + 1)]
    assert (passes_here(fields) is not None) == passes_there(fields) == at_most


def test_both_know_the_same_numbers_and_types() -> None:
    assert get_args(EventType) == rules.TYPES
    for name in ("MAX_DESCRIPTION", "MAX_TAGS", "MAX_RECIPIENTS", "MAX_METADATA_BYTES"):
        assert getattr(rules, name) == getattr(schema, name)


def test_a_field_that_is_none_is_left_out() -> None:
    assert json.loads(compose({"description": "x", "level": None}, source="shop").body) == {
        "description": "x",
        "source": "shop",
    }


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InvalidEvent, match=r"^colour: unknown field; known are description, type"):
        compose({"description": "x", "colour": "red"}, source="shop")


def test_each_field_of_a_list_is_named_by_its_event() -> None:
    given: list[Any] = [{"description": "x"}, {"description": "", "level": 9}, "x"]
    with pytest.raises(InvalidEvent) as refused:
        compose_many(given, source="shop")
    assert [each.field for each in refused.value.problems] == [
        "[1].description",
        "[1].level",
        "[2].event",
    ]


def test_where_nothing_else_tells_a_repeat_every_event_has_a_name() -> None:
    made = compose({"description": "x"}, source="shop", named=True)
    name = json.loads(made.body)["source_event_id"]
    assert made.id == event_id_for("shop", name)
    assert compose({"description": "x"}, source="shop", named=True).id != made.id
    assert compose({"description": "x", "source_event_id": "7"}, source="shop", named=True).id == (
        event_id_for("shop", "7")
    )
