"""A request as a format reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from notifier.intake.plain import parse_json
from notifier.intake.reports import Report
from notifier.intake.source_limits import SourceLimits, check_depth, limits_of
from notifier.models import Source


@dataclass(frozen=True)
class Posted:
    """A body with the headers that count, in lower case, and who posted it.

    Of a signed request no header counts: the signature is of the body alone.
    """

    body: bytes
    headers: Mapping[str, str]
    source: Source

    @cached_property
    def limits(self) -> SourceLimits:
        """The source's."""
        return limits_of(self.source)

    @cached_property
    def raw(self) -> Any:
        """The body as JSON of any depth, for whoever looks no deeper than it wants to."""
        return parse_json(self.body)

    @cached_property
    def json(self) -> Any:
        """The body as JSON no deeper than the source may nest it."""
        check_depth(self.source, self.raw)
        return self.raw

    def parse(self, body: bytes) -> Any:
        """Return JSON that was inside of something else, by the same rules."""
        value = parse_json(body)
        check_depth(self.source, value)
        return value


@dataclass(frozen=True)
class Format:
    """One way of writing events. `read` raises `InvalidEvent`, `matches` nothing."""

    slug: str
    title: str
    matches: Callable[[Posted, Any], bool]
    """Is this request, whose JSON is the second argument (None: it is no JSON), of this format?"""
    read: Callable[[Posted], list[Report]]
    drops_refused: bool = False
    """Its senders drop what is answered 4xx: "later" must be 5xx, and no bad alert refuse others."""
