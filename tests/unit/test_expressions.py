"""Many expressions at once say what each says by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.conditions import TagMatcher
from notifier.matching import expressions
from notifier.matching.expressions import MAX_LOOSE, ExpressionSet

PATTERNS = [
    "db[0-9]",
    "db",
    ".*",
    "",
    "(?i)DB1|shop",
    "[^d].*",
    "b.*k",
    r"\x{e5}+",
    "a|b|",
    "a$",
    "^b",
]
MATCHERS = [f"host=~{pattern}{suffix}" for pattern in PATTERNS for suffix in ("", "x?", "|zz")]

values = st.sampled_from(["db1", "DB1", "", "bank", "åå", "a\nb", "zz", "x", "b", "\0"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
steps = st.lists(st.sampled_from(MATCHERS), max_size=3 * MAX_LOOSE)


def singly(matchers: set[str], value: str) -> list[str]:
    return sorted(each for each in matchers if TagMatcher(each).holds(frozenset({value})))


@settings(deadline=None)
@given(st.lists(st.tuples(steps, values), max_size=4))
def test_a_set_agrees_with_its_expressions_while_they_come_and_go(
    rounds: list[tuple[list[str], str]],
) -> None:
    found, matchers = ExpressionSet(), set[str]()
    for toggled, value in rounds:
        for each in toggled:
            (found.remove if each in matchers else found.add)(each)
            matchers ^= {each}
        assert sorted(found.fitting(value)) == singly(matchers, value)


def filled(count: int) -> tuple[ExpressionSet, set[str]]:
    matchers = {f"host=~.*[a-z]{{{n % 9},}}x?{n}.*[0-9]{{3,}}.*y*" for n in range(count)}
    found = ExpressionSet()
    for each in matchers:
        found.add(each)
    return found, matchers


VALUE = "abcdefghi 123456 17 yyy 45 449 900" * 20


def test_what_is_too_much_for_one_set_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "MAX_MEMORY", 1 << 19)
    found, matchers = filled(200)
    assert sorted(found.fitting(VALUE)) == singly(matchers, VALUE)
    assert len(found._compiled) > 1


def test_an_expression_too_large_for_any_set_is_tried_singly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "MAX_MEMORY", 1)
    found, matchers = filled(20)
    assert sorted(found.fitting(VALUE)) == singly(matchers, VALUE)
    assert found._compiled == []


def test_a_set_that_runs_out_of_memory_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RE2 says that nothing fits then, as its documentation has it, and not why."""

    class Exhausted:
        def Match(self, _value: str) -> list[int]:  # noqa: N802 - RE2's name
            return []

    found, matchers = filled(20)
    list(found.fitting(VALUE))
    found._compiled = [(Exhausted(), matchers) for _, matchers in found._compiled]
    assert sorted(found.fitting(VALUE)) == singly(matchers, VALUE) != []
