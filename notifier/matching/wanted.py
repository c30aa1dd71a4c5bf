"""A filter's conditions, compiled: what the index keeps of them, and how it asks an event."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import TYPE_CHECKING

from notifier.conditions import Conditions, Facts, split_matcher
from notifier.matching.expressions import matcher_of
from notifier.matching.weeks import Week, is_open, time_of_week

if TYPE_CHECKING:
    from notifier.matching.index import Profile

ANY_LEVEL = 5

_NO_VALUES: frozenset[str] = frozenset()


class Asked:
    """One event while it is matched, with all that was found out about it so far."""

    __slots__ = ("_times", "_verdicts", "facts", "fitting", "now", "tags", "timestamp")

    def __init__(self, facts: Facts, timestamp: dt.datetime, now: dt.datetime) -> None:
        self.facts = facts
        self.timestamp = timestamp
        self.now = now
        self.tags = {f"{key}={value}" for key, values in facts.tags.items() for value in values}
        self.fitting: set[str] = set()
        """The matchers `key=~regex` that are known to hold; others may too."""
        self._verdicts: dict[Wanted, bool] = {}
        self._times: dict[zoneinfo.ZoneInfo, int] = {}

    def meets(self, wanted: Wanted) -> bool:
        """Say whether the event meets some conditions; equal ones are looked at once."""
        verdict = self._verdicts.get(wanted)
        if verdict is None:
            verdict = self._verdicts[wanted] = wanted.lets_through(self)
        return verdict

    def lies_in(self, week: Week, zone: zoneinfo.ZoneInfo) -> bool:
        """Say whether its timestamp lies in a week's open hours on the wall clock of a zone."""
        time_us = self._times.get(zone)
        if time_us is None:
            time_us = self._times[zone] = time_of_week(self.timestamp.astimezone(zone))
        return is_open(week, time_us)


class Wanted:
    """The conditions of a filter, or of several that are equal.

    `addressed` needs no owner: where an event has recipients, only these are asked about.
    """

    __slots__ = (
        "acked",
        "addressed",
        "exact",
        "is_plain",
        "led",
        "level",
        "matchers",
        "open",
        "source_types",
        "sources",
        "stateful",
        "text",
        "types",
        "uses",
    )

    def __init__(self, conditions: Conditions, text: str) -> None:
        self.text = text
        self.sources = conditions.sources
        self.source_types = conditions.source_types
        self.types = conditions.event_types
        self.level = conditions.max_level or ANY_LEVEL
        self.open = conditions.open
        self.acked = conditions.acked
        self.stateful = conditions.stateful
        self.addressed = conditions.addressed
        exact = {text for text in conditions.tags if split_matcher(text)[1] == "="}
        self.exact = tuple(exact)
        """What the event's tags must hold: `key=value` is a matcher and a tag alike."""
        self.matchers = tuple(text for text in conditions.tags if text not in exact)
        others = (self.open, self.acked, self.stateful, self.addressed)
        self.is_plain = not (self.sources or self.source_types or self.types or self.matchers) and (
            others == (None, None, None, None)
        )
        """Whether level and exact tags are all there is."""
        self.led: list[Profile] = []
        """The profiles that are found by these conditions, not by their other filters'."""
        self.uses = 0
        """How many profiles have these conditions."""

    def expressions(self) -> list[str]:
        """Return the matchers `key=~regex`."""
        return [text for text in self.matchers if split_matcher(text)[1] == "=~"]

    def lets_through(self, asked: Asked) -> bool:
        """Say whether `Conditions.first_refusal` would find none."""
        facts = asked.facts
        if facts.level > self.level:
            return False
        for tag in self.exact:
            if tag not in asked.tags:
                return False
        return self.is_plain or (self._fits(facts) and all(self._hold(asked)))

    def _fits(self, facts: Facts) -> bool:
        if self.sources and not (facts.source in self.sources or facts.source_id in self.sources):
            return False
        if self.types and facts.type not in self.types:
            return False
        if self.source_types and facts.source_type not in self.source_types:
            return False
        return (
            (self.open is None or facts.open is self.open)
            and (self.acked is None or facts.acked is self.acked)
            and (self.stateful is None or facts.stateful is self.stateful)
            and (self.addressed is None or (facts.recipients is not None) is self.addressed)
        )

    def _hold(self, asked: Asked) -> Iterator[bool]:
        for text in self.matchers:
            if text not in asked.fitting:
                matcher = matcher_of(text)
                yield matcher.holds(asked.facts.tags.get(matcher.key, _NO_VALUES))
