"""What an event must be."""

from __future__ import annotations

import datetime as dt
import decimal
import string
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import InvalidEvent
from notifier.intake.schema import EventIn, parse_event
from notifier.models import Event
from notifier.models.event import Level

ISO = "write a time as ISO 8601 with its offset, such as 2026-11-23T09:30:00Z"
NO_ZONE = "has no time zone: add an offset, such as 2026-11-23T09:30:00+01:00 or …Z"
LEVEL = "write a whole number from 1 (critical) to 5 (information)"
TAGS = "write key=value each, in a list; a key holds letters, digits and _ . : / @ - only"
RECIPIENTS = 'write usernames in a list, such as ["anna"]; leave it out to name nobody'
TYPES = "Input should be 'STA', 'END', 'CHI', 'RES', 'CLO', 'REO', 'ACK', 'OTH' or 'LES'"
URL = "write an address that starts with http:// or https:// and holds no space"
NUL = "holds a NUL character; remove it"
HALF = "holds half of a surrogate pair, which is no character"
HAPPENED = "must lie between the year 2000 and a day from now"
KNOWN = (
    "unknown field; known are description, type, level, tags, source, source_event_id, "
    "incident_key, recipients, timestamp, expires, details_url, metadata, actor, traceparent"
)

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, f"colour: {KNOWN}"),
    ({"k" * 1_000_000: 1}, f"{'k' * 80}: {KNOWN}"),
    ({"description": ""}, "description: String should have at least 1 character"),
    ({"description": " \n"}, "description: String should have at least 1 character"),
    ({"description": 5}, "description: Input should be a valid string"),
    ({"description": None}, "description: Input should be a valid string"),
    ({"description": "x" * 5_000_000}, "description: String should have at most 16384 characters"),
    ({"description": "a\0b"}, f"description: {NUL}"),
    ({"description": "\ud800"}, f"description: {HALF}"),
    ({"level": 0}, f"level: {LEVEL}"),
    ({"level": 6}, f"level: {LEVEL}"),
    ({"level": "2"}, f"level: {LEVEL}"),
    ({"level": True}, f"level: {LEVEL}"),
    ({"level": 2.0}, f"level: {LEVEL}"),
    ({"level": None}, f"level: {LEVEL}"),
    ({"tags": ["host"]}, f"tags[0]: {TAGS}"),
    ({"tags": ["a=b", "host="]}, f"tags[1]: {TAGS}"),
    ({"tags": ["=x"]}, f"tags[0]: {TAGS}"),
    ({"tags": ["a b=c"]}, f"tags[0]: {TAGS}"),
    ({"tags": [1]}, f"tags[0]: {TAGS}"),
    ({"tags": "host=db1"}, f"tags: {TAGS}"),
    (
        {"tags": ["a=b"] * 10_000},
        "tags: Value should have at most 64 items after validation, not 10000",
    ),
    ({"tags": ["a=" + "b" * 300]}, "tags[0]: String should have at most 256 characters"),
    ({"tags": ["host=\0"]}, f"tags[0]: {NUL}"),
    ({"tags": ["host=\udc00"]}, f"tags[0]: {HALF}"),
    ({"type": "DOWN", "incident_key": "a"}, f"type: {TYPES}"),
    (
        {"type": "END"},
        "event: type END needs an incident_key: the thread it belongs to",
    ),
    (
        {"type": "LES", "incident_key": "a"},
        "event: a stateless event (LES) belongs to no incident: leave out incident_key, or type",
    ),
    ({"incident_key": ""}, "incident_key: String should have at least 1 character"),
    ({"incident_key": "k" * 256}, "incident_key: String should have at most 255 characters"),
    ({"source_event_id": 4711}, "source_event_id: Input should be a valid string"),
    ({"source_event_id": "\ud800"}, f"source_event_id: {HALF}"),
    ({"recipients": "anna"}, f"recipients: {RECIPIENTS}"),
    ({"recipients": []}, f"recipients: {RECIPIENTS}"),
    ({"recipients": ["anna", 5]}, f"recipients[1]: {RECIPIENTS}"),
    ({"recipients": ["anna", "\0"]}, f"recipients[1]: {NUL}"),
    ({"timestamp": "2026-11-23T09:30:00"}, f"timestamp: {NO_ZONE}"),
    ({"timestamp": "2026-11-23"}, f"timestamp: {NO_ZONE}"),
    ({"timestamp": "yesterday"}, f"timestamp: {ISO}"),
    ({"timestamp": "2026-13-01T00:00:00Z"}, f"timestamp: {ISO}"),
    ({"timestamp": 1_732_354_200}, f"timestamp: {ISO}"),
    ({"timestamp": 1.5}, f"timestamp: {ISO}"),
    ({"timestamp": True}, f"timestamp: {ISO}"),
    ({"timestamp": "1732354200"}, f"timestamp: {ISO}"),
    ({"timestamp": "1.7e9"}, f"timestamp: {ISO}"),
    ({"timestamp": "9999-12-31T23:59:59Z"}, f"timestamp: {HAPPENED}"),
    ({"timestamp": "9999-12-31T23:59:59-12:00"}, f"timestamp: {HAPPENED}"),
    ({"timestamp": "0001-01-01T00:00:00Z"}, f"timestamp: {HAPPENED}"),
    ({"timestamp": "0001-01-01T00:00:00+12:00"}, f"timestamp: {HAPPENED}"),
    ({"expires": 1_732_354_200}, f"expires: {ISO}"),
    (
        {"expires": "9999-12-31T23:59:59Z"},
        "expires: must lie between the year 2000 and ten years from now",
    ),
    ({"details_url": "javascript:alert(1)"}, f"details_url: {URL}"),
    ({"details_url": "JavaScript:alert(1)"}, f"details_url: {URL}"),
    ({"details_url": "https://example.org/a b"}, f"details_url: {URL}"),
    ({"details_url": 'https://example.org/"onclick'}, f"details_url: {URL}"),
    ({"details_url": "https://example.org\n"}, f"details_url: {URL}"),
    (
        {"details_url": "https://" + "x" * 2048},
        "details_url: String should have at most 2048 characters",
    ),
    ({"metadata": None}, 'metadata: write an object, such as {"rack": 7}'),
    ({"metadata": [1]}, 'metadata: write an object, such as {"rack": 7}'),
    ({"metadata": {"a": "x" * 100_000}}, "metadata: 100,009 bytes as JSON; at most 65,536"),
    ({"metadata": {"a": float("nan")}}, "metadata.a: not a finite number"),
    ({"metadata": {"a": float("inf")}}, "metadata.a: not a finite number"),
    ({"metadata": {"\0": 1}}, f"metadata: {NUL}"),
    ({"metadata": {"a": "\0"}}, f"metadata.a: {NUL}"),
    ({"metadata": {"\ud800": 1}}, f"metadata: {HALF}"),
    (
        {"traceparent": "garbage"},
        "traceparent: write it as W3C Trace Context does: 00-<32 hex digits>-<16>-<2>, in lower case",
    ),
    ({"actor": "a" * 151}, "actor: String should have at most 150 characters"),
]
"""Fields beside a good description, and the sentence for each."""


def event(**fields: Any) -> EventIn:
    """Parse an event that is good but for these fields."""
    return parse_event({"description": "Disk full", **fields})


@pytest.mark.parametrize(("fields", "sentence"), BAD_FIELDS)
def test_a_bad_field_is_named_with_the_rule_and_the_way_out(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        event(**fields)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (
            {"at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
            (
                "metadata: Object of type datetime is not JSON serializable; "
                "write it as texts, numbers, lists and objects"
            ),
        ),
        (
            {"price": decimal.Decimal("9.99")},
            (
                "metadata: Object of type Decimal is not JSON serializable; "
                "write it as texts, numbers, lists and objects"
            ),
        ),
        ({"a": {1: 2}}, "metadata.a: every key must be a string"),
    ],
)
def test_metadata_that_json_can_not_say_is_refused(metadata: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        event(metadata=metadata)
    assert str(refused.value) == sentence


def test_a_number_of_5000_digits_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"^metadata: Exceeds the limit"):
        event(metadata={"n": 10**5000})
    with pytest.raises(InvalidEvent, match=r"^level: write a whole number"):
        event(level=10**5000)


@pytest.mark.parametrize("raw", [None, [], "text", 5, [{"description": "x"}]])
def test_what_is_no_object_is_no_event(raw: object) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parse_event(raw)
    assert str(refused.value) == (
        'event: an event is an object, such as {"description": "disk full", "level": 2}'
    )


def test_a_missing_description_is_required() -> None:
    with pytest.raises(InvalidEvent, match=r"^\[3\]\.description: required$"):
        parse_event({}, path="[3]")


def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(InvalidEvent) as refused:
        event(level=9, colour="red", tags=["a=b", "c"])
    assert [problem.field for problem in refused.value.problems] == ["level", "tags[1]", "colour"]


def test_the_defaults_are_a_stateless_information() -> None:
    plain = event()
    assert (plain.type, plain.level, plain.tags, plain.metadata) == ("LES", 5, [], {})
    assert (plain.recipients, plain.timestamp, plain.details_url) == (None, None, "")


@pytest.mark.parametrize("kind", [None, ""])
def test_an_incident_key_alone_makes_a_start(kind: str | None) -> None:
    assert event(incident_key="db1").type == "STA"
    assert event(incident_key="db1", type=kind).type == "STA"


def test_djangos_own_choices_are_taken() -> None:
    found = event(level=Level.HIGH, type=Event.Type.END, incident_key="db1")
    assert (found.level, found.type) == (2, "END")


def test_tags_may_be_an_object() -> None:
    assert event(tags={"host": "db1", "port": 80}).tags == ["host=db1", "port=80"]


@pytest.mark.parametrize(
    "tag", ["host=db1", "a=b=c", "if:name=ge-0/0/1", "x@y=1", "note=two\nlines", "_=😀"]
)
def test_a_tag_is_a_key_and_any_value(tag: str) -> None:
    assert event(tags=[tag]).tags == [tag]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-02T03:04:05Z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("2026-01-02T03:04:05+02:00", dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=dt.UTC)),
        ("2026-01-02 03:04:05-11:30", dt.datetime(2026, 1, 2, 14, 34, 5, tzinfo=dt.UTC)),
    ],
)
def test_a_time_is_read_with_its_offset_and_kept_in_utc(written: str, meant: dt.datetime) -> None:
    found = event(timestamp=written).timestamp
    assert found == meant
    assert found is not None
    assert found.utcoffset() == dt.timedelta(0)


@time_machine.travel("2026-11-23T12:00:00Z", tick=False)
def test_clocks_may_be_a_day_ahead_and_no_more() -> None:
    assert event(timestamp="2026-11-24T12:00:00Z").timestamp
    with pytest.raises(InvalidEvent, match=HAPPENED):
        event(timestamp="2026-11-24T12:00:01Z")


@time_machine.travel("2026-11-23T12:00:00Z", tick=False)
def test_an_event_may_have_expired_already() -> None:
    assert event(expires="2026-11-23T11:59:59Z").expires
    assert event(expires="2036-11-20T12:00:00Z").expires


def test_64_kib_of_metadata_are_taken() -> None:
    assert len(event(metadata={"a": "x" * (65_536 - 9)}).metadata["a"]) == 65_527


def test_the_description_loses_only_the_space_around_it() -> None:
    assert parse_event({"description": " two\nlines\t"}).description == "two\nlines"


def test_an_upper_limit_of_the_description_is_still_taken() -> None:
    assert len(parse_event({"description": "x" * 16_384}).description) == 16_384


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"level": 1}, {"level": 2}),
        ({}, {"level": 5}),
        ({"tags": ["a=b", "c=d"]}, {"tags": ["c=d", "a=b"]}),
        ({"metadata": {"a": 1}}, {"metadata": {"a": True}}),
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1.0}}),
        ({"metadata": {"a": None}}, {"metadata": {}}),
        ({"recipients": ["anna"]}, {"recipients": ["anna", "bob"]}),
        ({"timestamp": "2026-01-01T00:00:00Z"}, {"timestamp": "2026-01-01T00:00:00.000001Z"}),
        ({"expires": "2026-01-01T00:00:00Z"}, {}),
        ({"details_url": "https://example.org/"}, {"details_url": "https://example.org"}),
        ({"actor": "anna"}, {}),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, {}),
        ({"incident_key": "a"}, {"incident_key": "b"}),
        ({"type": "STA", "incident_key": "a"}, {"type": "RES", "incident_key": "a"}),
        ({"source_event_id": "1"}, {"source_event_id": "2"}),
        ({"description": "Disk full"}, {"description": "disk full"}),
    ],
)
def test_any_difference_in_what_was_sent_is_another_body(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert event(**one).body_sha256() != event(**other).body_sha256()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"metadata": {"a": 1, "b": 2}}, {"metadata": {"b": 2, "a": 1}}),
        ({"tags": {"a": "b"}}, {"tags": ["a=b"]}),
        ({"timestamp": "2026-01-01T00:00:00Z"}, {"timestamp": "2026-01-01T01:00:00+01:00"}),
        ({"incident_key": "a"}, {"incident_key": "a", "type": "STA"}),
        ({"source": "shop"}, {}),
    ],
)
def test_another_spelling_of_the_same_is_the_same_body(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert event(**one).body_sha256() == event(**other).body_sha256()


keys = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=20)
values = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=100
)


@given(st.lists(st.tuples(keys, values), max_size=64))
def test_no_character_of_a_tags_value_is_lost(pairs: list[tuple[str, str]]) -> None:
    tags = [f"{key}={value}" for key, value in pairs]
    assert event(tags=tags).tags == tags
