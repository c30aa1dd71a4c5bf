"""The compiled index says what the plain evaluator says, always."""

from __future__ import annotations

import datetime as dt
import json
import os
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.conditions import Conditions, Facts, parse_conditions, tag_values
from notifier.matching.index import Index
from notifier.matching.judging import judge
from notifier.matching.loading import ProfileRow, Tables, fill
from notifier.matching.rules import Rule
from notifier.models import DestinationConfig, NotificationProfile, TimeRecurrence, Timeslot

CASES = int(os.environ.get("NOTIFIER_INDEX_CASES", "300"))
"""How many worlds are made up; see CONTRIBUTING.md for more."""
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine proves nothing."""
NAMES = ["anna", "ben", "ada"]
ZONES = ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Mars/Crater"]
CHANGES_OF_CLOCKS = [
    dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC),
    dt.datetime(2026, 4, 4, 14, 45, tzinfo=dt.UTC),
]

words = st.sampled_from(["shop", "bank", "db1", "db2", "", "a=b", "~x"])
keys = st.sampled_from(["host", "site"])
tags = st.builds("{}={}".format, keys, words)
regexes = st.sampled_from(["db[0-9]", "db", ".*", "", "(?i)DB1|shop", "a=.", "[^d].*", "b.*k"])
matchers = st.one_of(
    st.builds("{}={}".format, keys, st.sampled_from(["shop", "bank", "db1", "db2", "", "a=b"])),
    st.builds("{}!={}".format, keys, st.sampled_from(["shop", "db1", ""])),
    st.builds("{}=~{}".format, keys, regexes),
    st.builds("{}!~{}".format, keys, regexes),
)
types = st.sampled_from(["STA", "END", "ACK", "LES"])
levels = st.integers(1, 5)


def some(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, max_size=3)


keys_of_filters: dict[str, st.SearchStrategy[Any]] = {
    "sources": some(st.sampled_from(["shop", "bank", 1, 2])),
    "source_types": some(st.sampled_from(["app", "cron"])),
    "event_types": some(types),
    "max_level": st.none() | levels,
    "tags": some(matchers),
    "open": st.none() | st.booleans(),
    "acked": st.none() | st.booleans(),
    "stateful": st.none() | st.booleans(),
    "addressed": st.none() | st.booleans(),
}
one_key = st.one_of([st.fixed_dictionaries({key: of}) for key, of in keys_of_filters.items()])
conditions = st.fixed_dictionaries({}, optional=keys_of_filters)
argus = st.fixed_dictionaries(
    {"sourceSystemIds": some(st.integers(1, 2)), "maxlevel": levels, "tags": some(tags)}
)
unreadable = st.sampled_from([{"max_level": 9}, {"colour": "red"}, []])
raw_filters = st.one_of(one_key, one_key, one_key, conditions, conditions, argus, unreadable)

times = st.times() | st.sampled_from(
    [dt.time(0), dt.time(2), dt.time(2, 30), dt.time(23, 59, 59), dt.time(23, 59, 59, 999999)]
)
recurrences = st.tuples(st.integers(1, 127), times, times)
always = st.just((127, dt.time(0), dt.time(0)))
moments = st.one_of(
    st.builds(
        lambda change, minutes: change + dt.timedelta(minutes=minutes),
        st.sampled_from(CHANGES_OF_CLOCKS),
        st.integers(-180, 180),
    ),
    st.datetimes(
        dt.datetime(2025, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        dt.datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(dt.UTC),
    ),
)
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)

profile = st.fixed_dictionaries(
    {
        "filters": st.lists(raw_filters, min_size=1, max_size=2)
        | st.lists(raw_filters, max_size=3),
        "recurrences": st.one_of(
            st.lists(always, min_size=1, max_size=1), st.lists(recurrences, max_size=3)
        ),
        "paused_until": st.none()
        | st.sampled_from([NOW, NOW - dt.timedelta(1), NOW + dt.timedelta(1)]),
        "destinations": st.integers(0, 2) | st.just(1),
    }
)
person = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "zone": st.none() | st.sampled_from(ZONES),
        "profiles": st.lists(profile, max_size=3),
    }
)
people = st.lists(person, min_size=1, max_size=4)
facts = st.builds(
    Facts,
    source_id=st.integers(1, 2),
    source=st.sampled_from(["shop", "bank"]),
    source_type=st.sampled_from(["app", "cron"]),
    type=types,
    level=levels,
    tags=st.lists(tags, max_size=5).map(tag_values),
    open=st.none() | st.booleans(),
    acked=st.none() | st.booleans(),
    stateful=st.booleans(),
    recipients=st.none() | st.none() | st.frozensets(st.sampled_from([*NAMES, "nobody"])),
)
events = st.lists(st.tuples(facts, moments), min_size=1, max_size=4)
changes = st.lists(st.dictionaries(st.integers(0, 3), st.none() | person, max_size=3), max_size=3)


@dataclass
class World:
    """Some people, as rules and as rows."""

    rules: dict[int, list[Rule]] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def put(self, people: Mapping[int, dict[str, Any] | None]) -> None:
        """Make people what is given, at once; None: gone."""
        self.index.remove(people)
        for pk, person in people.items():
            self.rules[pk] = []
            if person:
                self._put_rules(pk, person)
                self._put_rows(pk, person)

    def _put_rules(self, pk: int, person: dict[str, Any]) -> None:
        zone = person["zone"] if person["zone"] in zoneinfo.available_timezones() else "UTC"
        for number, each in enumerate(person["profiles"]):
            self.rules[pk].append(
                Rule(
                    profile=NotificationProfile(
                        pk=10 * pk + number,
                        timeslot=Timeslot(name="t"),
                        paused_until=each["paused_until"],
                    ),
                    owner=person["name"],
                    owner_active=True,
                    zone=zoneinfo.ZoneInfo(zone),
                    recurrences=tuple(
                        TimeRecurrence(days=days, start=start, end=end)
                        for days, start, end in each["recurrences"]
                    ),
                    filters=tuple(("f", parsed(raw)) for raw in each["filters"]),
                    destinations=tuple(DestinationConfig(pk=n) for n in destinations_of(pk, each)),
                )
            )

    def _put_rows(self, pk: int, person: dict[str, Any]) -> None:
        tables = Tables([], {}, {}, {}, {}, {99: "somebody else"})
        rows = []
        for number, each in enumerate(person["profiles"]):
            key = 10 * pk + number
            rows.append(
                ProfileRow(pk, person["name"], person["zone"], key, key, each["paused_until"])
            )
            tables.recurrences[key] = set(each["recurrences"])
            tables.filters[key] = [10 * key + n for n in range(len(each["filters"]))]
            tables.conditions |= {
                10 * key + n: json.dumps(raw) for n, raw in enumerate(each["filters"])
            }
            own = destinations_of(pk, each)
            tables.in_use |= dict.fromkeys(own, pk)
            tables.destinations[key] = [98, *reversed(own), 99]  # one disabled, one another's
        tables.profiles = rows
        fill(self.index, tables)


def destinations_of(pk: int, profile: dict[str, Any]) -> list[int]:
    return [1000 * pk + n for n in range(profile["destinations"])]


def parsed(raw: object) -> Conditions | None:
    try:
        return parse_conditions(raw)
    except ValueError:
        return None


def plainly(rules: dict[int, list[Rule]], event: Facts, timestamp: dt.datetime) -> dict[int, Any]:
    """Return what leads where by the specification."""
    return {
        rule.profile.pk: tuple(each.pk for each in rule.destinations)
        for found in rules.values()
        for rule in found
        if judge(rule, event, timestamp, NOW) is None
    }


@settings(UNHURRIED, max_examples=CASES)
@given(people, events, changes)
def test_the_index_agrees_with_the_plain_evaluator(
    people: list[dict[str, Any]],
    events: list[tuple[Facts, dt.datetime]],
    changes: list[dict[int, dict[str, Any] | None]],
) -> None:
    world = World()
    world.put(dict(enumerate(people)))
    for change in [*changes, {}]:
        for event, timestamp in events:
            found = world.index.match(event, timestamp, NOW)
            assert [each.pk for each in found] == sorted({each.pk for each in found})
            matched = {each.pk: each.destinations for each in found}
            assert matched == plainly(world.rules, event, timestamp)
        world.put(change)


@UNHURRIED
@given(people, st.integers(1, 4))
def test_an_index_that_everybody_left_is_empty(people: list[dict[str, Any]], at_once: int) -> None:
    world = World()
    world.put(dict(enumerate(people)))
    for first in range(0, len(people), at_once):
        world.put(dict.fromkeys(range(first, first + at_once)))
    left = {
        name: value for name, value in vars(world.index).items() if value and name != "_expressions"
    }
    assert left == {}


def test_a_source_named_twice_is_found_once() -> None:
    world = World()
    always = [(127, dt.time(0), dt.time(0))]
    both = {
        "filters": [{"sources": ["shop", 1]}],
        "recurrences": always,
        "paused_until": None,
        "destinations": 1,
    }
    world.put({1: {"name": "anna", "zone": None, "profiles": [both]}})
    event = Facts(
        source_id=1,
        source="shop",
        source_type="app",
        type="LES",
        level=3,
        tags={},
        open=None,
        acked=None,
        stateful=False,
        recipients=None,
    )
    assert [each.pk for each in world.index.match(event, NOW, NOW)] == [10]
