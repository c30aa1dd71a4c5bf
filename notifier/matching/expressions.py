"""Many regular expressions against one value: RE2 looks for all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import re2

from notifier.conditions import TagMatcher, split_matcher

MAX_LOOSE = 8
"""So many new ones are tried singly before all are compiled together again."""
MAX_MEMORY = 64 << 20
"""Bytes that RE2 may use for one set; it takes a fraction of that."""

_ANYTHING = r"(?s)\C*"

matcher_of = lru_cache(maxsize=4096)(TagMatcher)


class ExpressionSet:
    """Matchers `key=~regex` of one key, which come and go: those that a value fits."""

    def __init__(self) -> None:
        self._matchers: set[str] = set()
        self._loose: set[str] = set()
        self._gone: set[str] = set()
        self._compiled: list[tuple[re2.Set, Sequence[str]]] = []

    def add(self, matcher: str) -> None:
        """Add a valid one that is not in it."""
        self._matchers.add(matcher)
        if matcher in self._gone:
            self._gone.remove(matcher)
        else:
            self._loose.add(matcher)

    def remove(self, matcher: str) -> None:
        """Take one out that is in it."""
        self._matchers.remove(matcher)
        if matcher in self._loose:
            self._loose.remove(matcher)
        else:
            self._gone.add(matcher)

    def fitting(self, value: str) -> Iterator[str]:
        """Yield the matchers that a value fits."""
        if len(self._loose) > MAX_LOOSE or len(self._gone) > MAX_LOOSE + len(self._matchers):
            self._loose, self._gone = set(), set()
            self._compiled = list(self._compile(sorted(self._matchers)))
        for together, matchers in self._compiled:
            found = together.Match(value)
            # Out of memory, RE2 finds nothing and says nothing; then the last, which fits any
            # value, is missing too.
            if len(matchers) in found:
                found.remove(len(matchers))
                fitting: Iterable[str] = (matchers[each] for each in found)
            else:
                fitting = _singly(matchers, value)
            yield from (each for each in fitting if each not in self._gone)
        yield from _singly(self._loose, value)

    def _compile(self, matchers: Sequence[str]) -> Iterator[tuple[re2.Set, Sequence[str]]]:
        together = re2.Set.FullMatchSet(_options())
        for each in matchers:
            together.Add(split_matcher(each)[2])
        together.Add(_ANYTHING)
        try:
            together.Compile()
        except re2.error:  # too much for one
            if len(matchers) == 1:
                self._loose.update(matchers)
                return
            half = len(matchers) // 2
            yield from self._compile(matchers[:half])
            yield from self._compile(matchers[half:])
        else:
            yield together, matchers


def _singly(matchers: Iterable[str], value: str) -> Iterator[str]:
    values = frozenset({value})
    return (each for each in matchers if matcher_of(each).holds(values))


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return options
