"""The compiled index: which profiles want an event, without asking all of them.

It must agree with `judging.judge`, which says the same plainly. A profile is found by the most
selective condition of its filters, then asked for the rest.
"""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from operator import attrgetter
from typing import Any

from notifier.conditions import Facts, parse_conditions, split_matcher
from notifier.matching.expressions import ExpressionSet
from notifier.matching.wanted import ANY_LEVEL, Asked, Wanted
from notifier.matching.weeks import ALWAYS, Week

_Table = dict[Any, list[Wanted]]
_by_pk = attrgetter("pk")


class Owner:
    """A user, with the profiles that can match something."""

    __slots__ = ("name", "pk", "profiles", "zone")

    def __init__(self, pk: object, name: str, zone: zoneinfo.ZoneInfo) -> None:
        self.pk = pk
        self.name = name
        self.zone = zone
        self.profiles: tuple[Profile, ...] = ()


class Profile:
    """A profile that is on: when, for what, and to which destinations (primary keys) it leads."""

    __slots__ = ("destinations", "lead", "others", "owner", "paused_until", "pk", "week")

    def __init__(
        self,
        pk: int,
        owner: Owner,
        *,
        wanted: Sequence[Wanted],
        week: Week,
        paused_until: dt.datetime | None,
        destinations: tuple[int, ...],
    ) -> None:
        self.pk = pk
        self.owner = owner
        self.lead, *others = wanted if len(wanted) == 1 else sorted(set(wanted), key=_cost)
        """The conditions that let it be looked at least often."""
        self.others = tuple(others)
        self.week = week
        self.paused_until = paused_until
        self.destinations = destinations

    def wants(self, asked: Asked) -> bool:
        """Say whether all holds but its leading conditions."""
        if self.paused_until is not None and asked.now < self.paused_until:
            return False
        for each in self.others:
            if not asked.meets(each):
                return False
        return self.week is ALWAYS or asked.lies_in(self.week, self.owner.zone)


def _cost(wanted: Wanted) -> tuple[int, int]:
    """Rank conditions by how many events are like that; then by who is found by them already."""
    selective = (
        wanted.exact,
        wanted.sources,
        wanted.source_types,
        wanted.matchers and wanted.expressions(),
        wanted.types,
    )
    rank = next((rank for rank, found in enumerate(selective) if found), len(selective))
    return rank, len(wanted.led)


class Index:
    """Owners' profiles, by what their filters look for. Not for two threads at once."""

    def __init__(self) -> None:
        self._owners: dict[object, Owner] = {}
        self._by_name: dict[str, tuple[Owner, ...]] = {}
        self._wanted: dict[str, Wanted] = {}
        self._fresh: list[Wanted] = []
        self._tags: _Table = {}
        self._sources: _Table = {}
        self._source_types: _Table = {}
        self._matchers: _Table = {}
        self._expressions: dict[str, ExpressionSet] = {}
        self._types: _Table = {}
        self._levels: _Table = {}

    def __len__(self) -> int:
        """How many profiles can match something."""
        return sum(len(owner.profiles) for owner in self._owners.values())

    @property
    def owners(self) -> int:
        """How many users they belong to."""
        return len(self._owners)

    def match(self, facts: Facts, timestamp: dt.datetime, now: dt.datetime) -> list[Profile]:
        """Return the profiles that want an event, by primary key.

        `timestamp` (the event's) decides about timeslots, `now` about pauses.
        """
        asked = Asked(facts, timestamp, now)
        if facts.recipients is None:
            found = [
                profile
                for wanted in self._candidates(asked)
                if wanted.lets_through(asked)
                for profile in wanted.led
                if profile.wants(asked)
            ]
        else:
            found = [
                profile
                for name in facts.recipients
                for owner in self._by_name.get(name, ())
                for profile in owner.profiles
                if asked.meets(profile.lead) and profile.wants(asked)
            ]
        found.sort(key=_by_pk)
        return found

    def _candidates(self, asked: Asked) -> Iterable[Wanted]:
        facts = asked.facts
        found: list[Wanted] = []
        for tag in asked.tags:
            found += self._tags.get(tag, ())
        found += self._sources.get(facts.source, ())
        found += self._sources.get(facts.source_id, ())
        found += self._source_types.get(facts.source_type, ())
        found += self._types.get(facts.type, ())
        for level in range(facts.level, ANY_LEVEL + 1):
            found += self._levels.get(level, ())
        for key in facts.tags.keys() & self._expressions.keys():
            for value in facts.tags[key]:
                asked.fitting.update(self._expressions[key].fitting(value))
        for matcher in asked.fitting:
            found += self._matchers[matcher]
        return dict.fromkeys(found)  # some were found twice, such as by name and by id of a source

    # writing

    def conditions(self, text: str) -> Wanted | None:
        """Return a filter's JSON compiled; None where it can't be read or says nothing."""
        wanted = self._wanted.get(text)
        if wanted is None:
            try:
                conditions = parse_conditions(json.loads(text))
            except ValueError:
                return None
            if conditions.say_nothing:
                return None
            wanted = self._wanted[text] = Wanted(conditions, text)
            self._fresh.append(wanted)
        return wanted

    def add(self, owner: Owner, profiles: Iterable[Profile]) -> None:
        """Add an owner who is not in it, with their profiles."""
        owner.profiles = tuple(profiles)
        self._owners[owner.pk] = owner
        self._by_name[owner.name] = (*self._by_name.get(owner.name, ()), owner)
        for profile in owner.profiles:
            for each in (profile.lead, *profile.others):
                each.uses += 1
            if _is_led(profile):
                if not profile.lead.led:
                    self._enter(profile.lead)
                profile.lead.led.append(profile)

    def drop_unused(self) -> None:
        """Forget conditions that were compiled since the last call, but no profile came to use."""
        for wanted in self._fresh:
            if not wanted.uses:
                self._wanted.pop(wanted.text, None)
        self._fresh.clear()

    def remove(self, owners: Iterable[object]) -> set[int]:
        """Take owners out, those that are in it, with all profiles; return the destinations they led to.

        All at once, as many may be among the same ones: each of those is looked through once.
        """
        gone: dict[Wanted, set[Profile]] = defaultdict(set)
        destinations: set[int] = set()
        for owner in filter(None, [self._owners.pop(pk, None) for pk in owners]):
            if namesakes := tuple(each for each in self._by_name[owner.name] if each is not owner):
                self._by_name[owner.name] = namesakes
            else:
                del self._by_name[owner.name]
            for profile in owner.profiles:
                destinations.update(profile.destinations)
                if _is_led(profile):
                    gone[profile.lead].add(profile)
                for each in (profile.lead, *profile.others):
                    each.uses -= 1
                    if not each.uses:
                        del self._wanted[each.text]
            owner.profiles = ()  # each names the other
        for wanted, profiles in gone.items():
            wanted.led = [each for each in wanted.led if each not in profiles]
        self._leave({wanted for wanted in gone if not wanted.led})
        return destinations

    def _enter(self, wanted: Wanted) -> None:
        table, keys = self._places(wanted)
        for key in keys:
            if key in table:
                table[key].append(wanted)
                continue
            table[key] = [wanted]
            if table is self._matchers:
                self._expressions.setdefault(split_matcher(key)[0], ExpressionSet()).add(key)

    def _leave(self, gone: Set[Wanted]) -> None:
        places = {}
        for wanted in gone:
            table, keys = self._places(wanted)
            # which of several tags was the rarest then, nobody knows
            places.update({(id(table), key): table for key in wanted.exact or keys if key in table})
        for (_, key), table in places.items():
            if rest := [each for each in table[key] if each not in gone]:
                table[key] = rest
                continue
            del table[key]
            if table is self._matchers:
                self._expressions[split_matcher(key)[0]].remove(key)

    def _places(self, wanted: Wanted) -> tuple[_Table, Iterable[Any]]:
        """Return where an event would come upon some conditions; of several tags, at the rarest."""
        if wanted.exact:
            return self._tags, [min(wanted.exact, key=lambda tag: len(self._tags.get(tag, ())))]
        if wanted.sources:
            return self._sources, set(wanted.sources)
        if wanted.source_types:
            return self._source_types, set(wanted.source_types)
        if wanted.matchers and (expressions := wanted.expressions()):
            return self._matchers, expressions[:1]
        if wanted.types:
            return self._types, set(wanted.types)
        return self._levels, [wanted.level]


def _is_led(profile: Profile) -> bool:
    """Whether an event without recipients can match."""
    return profile.lead.addressed is not True and not any(
        each.addressed is True for each in profile.others
    )
