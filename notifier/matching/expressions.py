"""Many regular expressions against one value: RE2 looks for all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import re2

from notifier.conditions import REGEX_OPTIONS

MAX_LOOSE = 64
"""So many new ones are tried singly before all are compiled together again."""
MAX_MEMORY = 64 << 20
"""Bytes that RE2 may use for one set; it takes a fraction of that."""
ANYTHING = r"(?s)\C*"


@lru_cache(maxsize=1000)
def _singly(pattern: str) -> re2._Regexp:
    return re2.compile(pattern, options=REGEX_OPTIONS)


def fits(pattern: str, value: str) -> bool:
    """Say whether an RE2 expression matches the whole of a value."""
    return _singly(pattern).fullmatch(value) is not None


class ExpressionSet:
    """Expressions that come and go, and which of them a value fits."""

    def __init__(self) -> None:
        self._patterns: set[str] = set()
        self._compiled: list[tuple[re2.Set, Sequence[str]]] = []
        self._loose: set[str] = set()
        self._gone = 0

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def add(self, pattern: str) -> None:
        """Add a valid expression that is not in it."""
        self._patterns.add(pattern)
        self._loose.add(pattern)

    def remove(self, pattern: str) -> None:
        """Take one out that is in it."""
        self._patterns.remove(pattern)
        if pattern in self._loose:
            self._loose.remove(pattern)
        else:
            self._gone += 1

    def fitting(self, value: str) -> Iterator[str]:
        """Yield the expressions that match the whole of a value, each at least once."""
        if len(self._loose) > MAX_LOOSE or self._gone > max(MAX_LOOSE, len(self._patterns)):
            self._compile()
        for together, patterns in self._compiled:
            found = together.Match(value)
            # Out of memory, RE2 finds nothing and says nothing; then the last, which fits any
            # value, is missing too.
            if len(patterns) in found:
                found.remove(len(patterns))
                yield from (patterns[each] for each in found)
            else:
                yield from _fitting(patterns, value)
        yield from _fitting(self._loose, value)

    def _compile(self) -> None:
        self._loose, self._gone = set(), 0
        self._compiled = list(self._compile_all(sorted(self._patterns)))

    def _compile_all(self, patterns: Sequence[str]) -> Iterator[tuple[re2.Set, Sequence[str]]]:
        together = re2.Set.FullMatchSet(_options())
        for each in (*patterns, ANYTHING):
            together.Add(each)
        try:
            together.Compile()
        except re2.error:  # too much for one
            half = len(patterns) // 2
            if half:
                yield from self._compile_all(patterns[:half])
                yield from self._compile_all(patterns[half:])
            else:
                self._loose.update(patterns)
        else:
            yield together, patterns


def _fitting(patterns: Iterable[str], value: str) -> Iterator[str]:
    return (each for each in patterns if fits(each, value))


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return options
