"""The conditions of a filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.conditions import Conditions, Facts, TagMatcher, parse_conditions, tag_values

START = Facts(
    source_id=7,
    source="shop",
    source_type="app",
    type="STA",
    level=3,
    tags=tag_values(["host=db1", "host=db2", "site=oslo", "note=a=b"]),
    open=True,
    acked=False,
    stateful=True,
    recipients=None,
)
NOTE = replace(
    START, type="LES", open=None, acked=None, stateful=False, recipients=frozenset({"anna"})
)


def refusal(raw: object, facts: Facts = START, owner: str = "anna") -> str | None:
    return parse_conditions(raw).first_refusal(facts, owner)


@pytest.mark.parametrize(
    ("key", "holding", "refusing"),
    [
        ("sources", ["bank", "shop"], ["bank"]),
        ("sources", [3, 7], [3]),
        ("sources", ["bank", 7], ["7"]),
        ("source_types", ["cron", "app"], ["cron"]),
        ("event_types", ["END", "STA"], ["END"]),
        ("max_level", 3, 2),
        ("max_level", 5, 1),
        ("open", True, False),
        ("acked", False, True),
        ("stateful", True, False),
        ("addressed", False, True),
        ("tags", ["host=db1"], ["host=db3"]),
    ],
)
def test_each_key_says_yes_and_no(key: str, holding: object, refusing: object) -> None:
    assert refusal({key: holding}) is None
    assert refusal({key: refusing}) == key


@pytest.mark.parametrize("key", ["open", "acked"])
@pytest.mark.parametrize("value", [True, False])
def test_an_event_without_an_incident_is_neither(key: str, value: bool) -> None:
    assert refusal({key: value}, NOTE) == key


def test_addressed_looks_for_the_owner() -> None:
    assert refusal({"addressed": True}, NOTE, "anna") is None
    assert refusal({"addressed": True}, NOTE, "bob") == "addressed"
    assert refusal({"addressed": False}, NOTE, "bob") is None
    assert refusal({"addressed": False}, NOTE, "anna") == "addressed"


def test_all_keys_must_hold() -> None:
    both = {"sources": ["shop"], "max_level": 3}
    assert refusal(both) is None
    assert refusal({**both, "max_level": 1}) == "max_level"
    assert refusal({**both, "sources": ["bank"]}) == "sources"


@pytest.mark.parametrize("raw", [{}, {"tags": [], "sources": [], "max_level": None, "open": None}])
def test_an_empty_filter_says_nothing(raw: dict[str, Any]) -> None:
    assert parse_conditions(raw).say_nothing


@pytest.mark.parametrize(
    "raw",
    [
        {"open": False},
        {"acked": False},
        {"stateful": False},
        {"addressed": False},
        {"max_level": 5},
        {"tags": ["a=b"]},
        {"sources": [0]},
    ],
)
def test_one_condition_says_something(raw: dict[str, Any]) -> None:
    assert not parse_conditions(raw).say_nothing


def test_having_judged_a_filter_says_as_much_as_before() -> None:
    empty = parse_conditions({})
    assert empty.first_refusal(START, "anna") is None
    assert empty.say_nothing


def test_arguss_own_keys_are_read() -> None:
    argus = {"sourceSystemIds": [7], "maxlevel": 3, "tags": ["site=oslo"], "open": True}
    assert parse_conditions(argus) == parse_conditions(
        {"sources": [7], "max_level": 3, "tags": ["site=oslo"], "open": True}
    )
    assert refusal(argus) is None
    assert refusal({"sourceSystemIds": [8]}) == "sources"
    assert refusal({"maxlevel": 2}) == "max_level"
    assert parse_conditions({"sourceSystemIds": [], "tags": []}).say_nothing


# matchers


@pytest.mark.parametrize(
    ("matcher", "holds"),
    [
        ("host=db1", True),
        ("host=db2", True),
        ("host=db", False),
        ("host=", False),
        ("host!=db3", True),
        ("host!=db1", False),
        ("host=~db[0-9]", True),
        ("host=~db", False),  # the whole value
        ("host=~b1", False),
        ("host=~db1|x", True),
        ("host=~.*", True),
        ("host!~db[0-9]", False),
        ("host!~db[3-9]", True),
        ("host!~db2", False),  # one of the values is enough
        ("missing=x", False),
        ("missing=~.*", False),
        ("missing!=x", True),
        ("missing!~.*", True),
        ("note=a=b", True),
        ("note=~a=.", True),
        ("host=~(?i)DB1", True),
        ("Host=db1", False),
    ],
)
def test_a_matcher_holds_when_any_value_fits_or_negated_none(matcher: str, holds: bool) -> None:
    assert (refusal({"tags": [matcher]}) is None) == holds


def test_a_regex_that_makes_others_hang_is_judged_at_once() -> None:
    hanging = TagMatcher("note=~(a+)+$")
    assert not hanging.holds(frozenset({"a" * 100_000 + "!"}))
    assert hanging.holds(frozenset({"a" * 100_000}))


def test_a_dot_matches_no_newline() -> None:
    assert not TagMatcher("note=~a.b").holds(frozenset({"a\nb"}))
    assert TagMatcher("note=~(?s)a.b").holds(frozenset({"a\nb"}))


NO_RE2 = "look-around and back-references do not exist there"
FORMS = "write key=value, key!=value, key=~regex or key!~regex"
KNOWN = (
    "unknown key; known are sources, source_types, event_types, max_level, tags, open, acked, "
    "stateful, addressed"
)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"tags": ["a=~("]}, f"tags.0: '(' is no RE2 expression (missing ): (); {NO_RE2}"),
        (
            {"tags": ["a=b", "a=~(?=x)"]},
            f"tags.1: '(?=x)' is no RE2 expression (invalid perl operator: (?=); {NO_RE2}",
        ),
        (
            {"tags": [r"a=~(x)\1"]},
            rf"tags.0: '(x)\\1' is no RE2 expression (invalid escape sequence: \1); {NO_RE2}",
        ),
        (
            {"tags": ["a=~x{1000}{1000}"]},
            (
                "tags.0: 'x{1000}{1000}' is no RE2 expression "
                f"(bad repetition operator: {{1000}}{{1000}}); {NO_RE2}"
            ),
        ),
        ({"tags": ["host"]}, f"tags.0: 'host' is no matcher; {FORMS}"),
        ({"tags": ["=x"]}, f"tags.0: '=x' is no matcher; {FORMS}"),
        ({"tags": ["a=\0"]}, "tags.0: holds a NUL character; remove it"),
        ({"tags": ["a=" + "x" * 255]}, "tags.0: String should have at most 256 characters"),
        ({"tags": "a=b"}, "tags: write a list"),
        ({"sources": "shop"}, "sources: write a list"),
        ({"source_types": ["a\0"]}, "source_types.0: holds a NUL character; remove it"),
        ({"max_level": 0}, "max_level: Input should be greater than or equal to 1"),
        ({"max_level": 6}, "max_level: Input should be less than or equal to 5"),
        ({"max_level": "2"}, "max_level: Input should be a valid integer"),
        ({"max_level": True}, "max_level: Input should be a valid integer"),
        ({"open": "yes"}, "open: Input should be a valid boolean"),
        ({"colour": "red"}, f"colour: {KNOWN}"),
        (
            {"event_types": ["DOWN"]},
            (
                "event_types.0: Input should be 'STA', 'END', 'CHI', 'RES', 'CLO', 'REO', 'ACK', "
                "'OTH' or 'LES'"
            ),
        ),
        (
            [],
            'conditions: write an object, such as {"max_level": 2, "tags": ["host=db1"]}',
        ),
        (
            None,
            'conditions: write an object, such as {"max_level": 2, "tags": ["host=db1"]}',
        ),
    ],
)
def test_bad_conditions_are_refused_with_a_sentence(raw: object, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is compared below
        parse_conditions(raw)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("source", [True, 5.0, None, "", "a\0"])
def test_a_source_is_a_name_or_an_id(source: object) -> None:
    with pytest.raises(ValueError, match=r"^sources\.0: "):
        parse_conditions({"sources": [source]})


def test_every_bad_key_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"max_level: .*; colour: unknown key"):
        parse_conditions({"max_level": 9, "colour": "red"})


# laws

words = st.sampled_from(["shop", "bank", "app", "db1", "db2"])
tags = st.builds("{}={}".format, st.sampled_from(["host", "site"]), words)
matchers = st.builds(
    "{}{}{}".format,
    st.sampled_from(["host", "site"]),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    words,
)
types = st.sampled_from(["STA", "END", "LES"])


def some(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, min_size=1, max_size=2)


conditions = st.fixed_dictionaries(
    {},
    optional={
        "sources": some(words | st.integers(1, 3)),
        "source_types": some(words),
        "event_types": some(types),
        "max_level": st.integers(1, 5),
        "tags": some(matchers),
        "open": st.booleans(),
        "acked": st.booleans(),
        "stateful": st.booleans(),
        "addressed": st.booleans(),
    },
)
facts = st.builds(
    Facts,
    source_id=st.integers(1, 3),
    source=words,
    source_type=words,
    type=types,
    level=st.integers(1, 5),
    tags=st.lists(tags, max_size=4).map(tag_values),
    open=st.none() | st.booleans(),
    acked=st.none() | st.booleans(),
    stateful=st.booleans(),
    recipients=st.none() | st.frozensets(st.sampled_from(["anna", "bob"])),
)


@given(conditions, conditions, facts)
def test_one_more_key_never_lets_more_events_through(
    one: dict[str, Any], more: dict[str, Any], event: Facts
) -> None:
    both = {**more, **one}
    if refusal(one, event):
        assert refusal(both, event)


@given(conditions, matchers, facts)
def test_one_more_matcher_never_lets_more_events_through(
    one: dict[str, Any], matcher: str, event: Facts
) -> None:
    if refusal(one, event):
        assert refusal({**one, "tags": [*one.get("tags", []), matcher]}, event)


@given(conditions, facts)
def test_a_filter_holds_exactly_when_each_key_alone_does(raw: dict[str, Any], event: Facts) -> None:
    alone = [refusal({key: value}, event) for key, value in raw.items()]
    assert (refusal(raw, event) is None) == (not any(alone))
    assert refusal(raw, event) in {None, *alone}


@given(tags, st.lists(tags, max_size=4))
def test_a_negated_matcher_holds_exactly_when_the_plain_one_does_not(
    tag: str, own: list[str]
) -> None:
    key, _, value = tag.partition("=")
    values = tag_values(own).get(key, frozenset())
    for plain, negated in (("=", "!="), ("=~", "!~")):
        holds = TagMatcher(f"{key}{plain}{value}").holds(values)
        assert TagMatcher(f"{key}{negated}{value}").holds(values) != holds
        assert holds == (tag in own)


def test_every_key_is_judged() -> None:
    asked = {
        "sources": ["x"],
        "source_types": ["x"],
        "event_types": ["END"],
        "max_level": 1,
        "tags": ["x=y"],
        "open": False,
        "acked": True,
        "stateful": False,
        "addressed": True,
    }
    assert asked.keys() == Conditions.model_fields.keys()
    for key, value in asked.items():
        assert refusal({key: value}) == key


def test_the_values_of_a_key_are_gathered() -> None:
    assert tag_values(["a=1", "a=2", "b=x=y", "c="]) == {
        "a": frozenset({"1", "2"}),
        "b": frozenset({"x=y"}),
        "c": frozenset({""}),
    }
