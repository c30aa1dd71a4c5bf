"""A source's own JSON, read by its mapping."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.errors import InvalidEvent
from notifier.intake import field_mapping
from notifier.intake.reports import Report
from tests.unit.test_fitting import JSON

MAPPING = {
    "events": "checks",
    "description": "join(': ', [host, message])",
    "incident_key": "id",
    "type": "state",
    "types": {"DEGRADED": "STA"},
    "level": "prio",
    "levels": {"A": 1},
    "tags": "{host: host, rack: to_string(rack)}",
    "timestamp": "at",
    "metadata": "@",
    "source_event_id": "message_id",
    "details_url": "link",
}
CHECK = {
    "host": "db1",
    "message": "Disk full",
    "id": 4711,
    "state": "DEGRADED",
    "prio": "a",
    "rack": 7,
    "at": 1_764_000_000,
    "message_id": "m1",
    "link": "https://example.org/4711",
}


def read(mapping: Any, body: object) -> list[Report]:
    return field_mapping.read(mapping, body, default_level=3)


def test_each_field_is_what_its_expression_finds() -> None:
    [report] = read(MAPPING, {"checks": [CHECK]})
    assert report.event.model_dump(mode="json", exclude_unset=True) == {
        "description": "db1: Disk full",
        "incident_key": "4711",
        "type": "STA",
        "level": 1,
        "tags": ["host=db1", "rack=7"],
        "timestamp": "2025-11-24T16:00:00Z",
        "metadata": CHECK,
        "source_event_id": "m1",
        "details_url": "https://example.org/4711",
    }


@pytest.mark.parametrize(
    ("state", "event_type"),
    [
        ("degraded", "STA"),
        ("firing", "STA"),
        ("DOWN", "STA"),
        ("problem", "STA"),
        (None, "STA"),
        ("resolved", "END"),
        ("OK", "END"),
        ("up", "END"),
        ("acknowledged", "ACK"),
        ("CLO", "CLO"),
        ("chi", "CHI"),
    ],
)
def test_states_have_types(state: str | None, event_type: str) -> None:
    [report] = read(MAPPING, {"checks": {**CHECK, "state": state}})
    assert report.event.type == event_type


def test_without_a_key_an_event_is_stateless() -> None:
    [report] = read({"description": "message", "type": "state"}, CHECK)
    assert report.event.type == "LES"


def test_a_number_may_be_a_level_and_what_is_none_is_the_sources() -> None:
    mapping = {"description": "'x'", "level": "@"}
    assert [read(mapping, each)[0].event.level for each in (2, "high", "odd", 9)] == [2, 2, 3, 3]


def test_an_end_may_say_nothing_more() -> None:
    [report] = read(
        {"description": "text", "incident_key": "id", "type": "state"}, {"id": 1, "state": "ok"}
    )
    assert report.bare
    assert report.event.description == "End: 1"


def test_an_empty_list_is_no_events() -> None:
    assert read(MAPPING, {"checks": []}) == []


@pytest.mark.parametrize(
    ("mapping", "body", "problem"),
    [
        ({"description": "text"}, {}, "mapping.description: finds no text in this body"),
        (
            {"description": "'x'", "incident_key": "'k'", "type": "@"},
            "odd",
            "mapping.type: finds a word that means nothing here; put it into the mapping's `types`, ",
        ),
        (
            {"description": "sum(@)"},
            {"a": 1},
            "mapping.description: fails here (",
        ),
        ({"description": "'x'", "recipients": "@"}, 5, "recipients: write usernames in a list"),
        ({}, {}, "mapping: this source has none: write one in the admin"),
        (MAPPING, {"other": 1}, "mapping.events: finds nothing in this body"),
        ({"description": "["}, {}, "mapping: description: no JMESPath"),
        (
            {"events": "@", "description": "a"},
            [{"a": 1}, {}],
            "[1].mapping.description: finds no text",
        ),
        (
            {"events": "@", "description": "'x'"},
            [1] * 1001,
            "mapping.events: finds more than 1000 events",
        ),
    ],
)
def test_what_it_can_not_read_is_named(mapping: Any, body: object, problem: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(mapping, body)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ([], 'Write an object, such as {"description": "message"}.'),
        ({"level": "prio"}, "description: required: what happened, for people."),
        ({"description": "a["}, "description: no JMESPath: "),
        ({"description": 5}, 'description: write a JMESPath expression, such as "message".'),
        ({"description": ""}, 'description: write a JMESPath expression, such as "message".'),
        ({"description": "a", "source": "b"}, "source: unknown; known are events, description, "),
        (
            {"description": "a", "levels": {"x": 6}},
            "levels: write an object of the source's own words",
        ),
        (
            {"description": "a", "levels": {"x": []}},
            "levels: write an object of the source's own words",
        ),
        ({"description": "a", "types": ["x"]}, "types: write an object of the source's own words"),
        ({"description": "a", "tags": "x" * 1001}, "tags: longer than 1000 characters."),
        ({"description": "x" * 20_000}, "A mapping has at most 16,384 bytes as JSON."),
    ],
)
def test_a_mapping_that_can_not_work_is_refused(mapping: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        field_mapping.check_mapping(mapping)
    assert refused.value.messages[0].startswith(sentence)


@settings(deadline=None)
@given(JSON, st.lists(st.sampled_from([*CHECK, "checks", "@", "*", "[]"]), min_size=9, max_size=9))
def test_whatever_is_posted_is_read_or_refused(body: Any, expressions: list[str]) -> None:
    mapping = dict(
        zip(
            [name for name in MAPPING if name not in {"types", "levels"}], expressions, strict=False
        )
    )
    mapping.setdefault("description", "@")
    with suppress(InvalidEvent):
        read(mapping, body)
