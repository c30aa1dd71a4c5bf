"""The conditions of a filter, and what it means that an event meets them.

A filter is a JSON object; its keys are ANDed, an absent or empty key says nothing:

=================  ==============================================================
``sources``        any of these names (or, as Argus writes them, ids)
``source_types``   any of these
``event_types``    any of these (STA, END, …)
``max_level``      at most this level; 1 is the most urgent
``tags``           every one of these matchers holds (below)
``open``           the event left its incident open (true) or closed (false)
``acked``          likewise for acknowledged
``stateful``       the event belongs to an incident that can end (true), or to none such (false)
``addressed``      the event names the owner among its recipients (true), or not
=================  ==============================================================

Matchers: ``key=value``, ``key!=value``, ``key=~regex``, ``key!~regex``; the regex is RE2 and must
match the whole value. A key may be on an event several times: ``=`` and ``=~`` hold when any
value fits, ``!=`` and ``!~`` when none does, so also where the key is missing.

Argus's own keys are read as they are: ``sourceSystemIds``, ``maxlevel``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
)

EventType = Literal["STA", "END", "CHI", "RES", "CLO", "REO", "ACK", "OTH", "LES"]

_MATCHER = re.compile(r"([^=!~]+)(=~|!~|!=|=)(.*)", re.DOTALL)
_MATCHER_FORMS = "key=value, key!=value, key=~regex or key!~regex"
_ARGUS_NAMES = {"sourceSystemIds": "sources", "maxlevel": "max_level"}
_FACTS = {
    "sources": "source",
    "source_types": "source_type",
    "event_types": "type",
    "max_level": "level",
}
"""What a key looks at, where that has another name."""
_REGEX_OPTIONS = re2.Options()
_REGEX_OPTIONS.log_errors = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions look at: one event, flattened."""

    source_id: int
    source: str
    source_type: str
    type: str
    level: int
    tags: Mapping[str, frozenset[str]]
    open: bool | None
    acked: bool | None
    stateful: bool
    recipients: frozenset[str] | None


class TagMatcher:
    """One `key<operator>value`, ready to judge the values that an event has for its key."""

    __slots__ = ("_fits", "_negated", "key")

    def __init__(self, text: str) -> None:
        """Parse; raise `ValueError` with the rule that `text` breaks."""
        self.key, operator, value = split_matcher(text)
        self._negated = operator.startswith("!")
        self._fits = _regex(value) if operator.endswith("~") else value.__eq__

    def holds(self, values: frozenset[str]) -> bool:
        """Say whether any value fits, or, negated, none does."""
        return any(map(self._fits, values)) != self._negated


def split_matcher(text: str) -> tuple[str, str, str]:
    """Return a matcher's key, operator and value; raise `ValueError` where it is none."""
    parsed = _MATCHER.fullmatch(text)
    if parsed is None:
        raise ValueError(f"{text!r} is no matcher; write {_MATCHER_FORMS}")
    key, operator, value = parsed.groups()
    return key, operator, value


def _regex(pattern: str) -> Any:
    try:
        return re2.compile(pattern, options=_REGEX_OPTIONS).fullmatch
    except re2.error as error:
        raise ValueError(
            f"{pattern!r} is no RE2 expression ({_text(error)}); "
            "look-around and back-references do not exist there"
        ) from error


def _text(error: re2.error) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _is_matcher(text: str) -> str:
    TagMatcher(text)
    return text


def _is_storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character; remove it")
    return text


_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_is_storable)
]
_Matcher = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(_is_storable),
    AfterValidator(_is_matcher),
]


class Conditions(BaseModel):
    """A filter's conditions, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[_Name | StrictInt, ...] = ()
    source_types: tuple[_Name, ...] = ()
    event_types: tuple[EventType, ...] = ()
    max_level: Annotated[int, Field(ge=1, le=5, strict=True)] | None = None
    tags: Annotated[tuple[_Matcher, ...], Field(max_length=64)] = ()
    open: StrictBool | None = None
    acked: StrictBool | None = None
    stateful: StrictBool | None = None
    addressed: StrictBool | None = None

    @cached_property
    def matchers(self) -> tuple[TagMatcher, ...]:
        """The parsed `tags`."""
        return tuple(map(TagMatcher, self.tags))

    @cached_property
    def say_nothing(self) -> bool:
        """Whether every key is absent or empty: such a filter matches nothing."""
        return not any(value or value is False for _, value in self)

    def first_refusal(self, facts: Facts, owner: str) -> str | None:
        """Return the first key that says no to an event, or None where all hold."""
        return next(self._refusals(facts, owner), None)

    def why_not(self, key: str, facts: Facts) -> str:
        """Return what a key that said no asks for, and what the event has, for people."""
        if key == "tags":
            asked, has = self._unmet_tag(facts)
        elif key == "addressed":
            asked, has = _shown(self.addressed), _shown(not self.addressed)
        else:
            asked, has = _shown(getattr(self, key)), _shown(getattr(facts, _FACTS.get(key, key)))
        return f"asks for {asked}, the event has {has}"

    def _unmet_tag(self, facts: Facts) -> tuple[str, str]:
        for text in self.tags:
            matcher = TagMatcher(text)
            values = facts.tags.get(matcher.key, frozenset())
            if not matcher.holds(values):
                break
        has = ", ".join(f"{matcher.key}={value}" for value in sorted(values))
        return text, has or f"no {matcher.key}"

    def _refusals(self, facts: Facts, owner: str) -> Iterator[str]:
        if self.sources and not {facts.source, facts.source_id} & set(self.sources):
            yield "sources"
        if self.source_types and facts.source_type not in self.source_types:
            yield "source_types"
        if self.event_types and facts.type not in self.event_types:
            yield "event_types"
        if self.max_level is not None and facts.level > self.max_level:
            yield "max_level"
        if self.open is not None and facts.open is not self.open:
            yield "open"
        if self.acked is not None and facts.acked is not self.acked:
            yield "acked"
        if self.stateful is not None and facts.stateful is not self.stateful:
            yield "stateful"
        if self.addressed is not None and (owner in (facts.recipients or ())) is not self.addressed:
            yield "addressed"
        if not all(each.holds(facts.tags.get(each.key, frozenset())) for each in self.matchers):
            yield "tags"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " or ".join(map(str, value))
    if value is None:
        return "neither"  # of open or acked: it belongs to no incident
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def parse_conditions(raw: object) -> Conditions:
    """Validate the JSON of a filter; raise `ValueError` with a sentence per broken rule."""
    if isinstance(raw, Mapping):
        raw = {_ARGUS_NAMES.get(key, key): value for key, value in raw.items()}
    try:
        return Conditions.model_validate(raw)
    except ValidationError as error:
        raise ValueError(
            "; ".join(
                f"{'.'.join(map(str, problem['loc'][:2])) or 'conditions'}: {_sentence(dict(problem))}"
                for problem in error.errors(include_url=False, include_input=False)
            )
        ) from error


def _sentence(problem: dict[str, Any]) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key; known are {', '.join(Conditions.model_fields)}"
        case "model_type":
            return 'write an object, such as {"max_level": 2, "tags": ["host=db1"]}'
        case "tuple_type":
            return "write a list"
        case _:
            said: str = problem["msg"]
            return said.removeprefix("Value error, ")


def tag_values(tags: list[str]) -> dict[str, frozenset[str]]:
    """Turn `["key=value", …]` into each key's values."""
    values: dict[str, set[str]] = {}
    for tag in tags:
        key, _, value = tag.partition("=")
        values.setdefault(key, set()).add(value)
    return {key: frozenset(found) for key, found in values.items()}
