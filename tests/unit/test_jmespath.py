"""JMESPath with a budget."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.intake.expressions import Evaluator, ExpressionError, compiled

DOCUMENT: dict[str, Any] = {
    "host": "db1",
    "checks": [{"name": "disk", "state": 2}, {"name": "load", "state": 0}],
    "tags": {"site": "oslo"},
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("host", "db1"),
        ("checks[?state > `0`].name | [0]", "disk"),
        ("{host: host, site: tags.site}", {"host": "db1", "site": "oslo"}),
        ("join(', ', checks[].name)", "disk, load"),
        ("sort_by(checks, &state)[0].name", "load"),
        ("checks[?name == 'load'].state", [0]),
        ("tags.*", ["oslo"]),
        ("nothing.of.this", None),
        ("tags || host", {"site": "oslo"}),
    ],
)
def test_it_finds_what_jmespath_finds(expression: str, found: object) -> None:
    assert Evaluator().evaluate(expression, DOCUMENT) == found


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("checks[", "no JMESPath: "),
        ("", "no JMESPath: "),
        ("x" * 1001, "longer than 1000 characters"),
        ("[" * 990, "nested too deep"),
    ],
)
def test_what_can_not_be_read_is_told(expression: str, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        compiled(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "length(`5`)",
        "unknown(@)",
        "join(', ', checks)",
        "sort_by(checks, &tags)",
        "max_by(checks, &name) | sum(@)",
        "abs(host)",
        "to_number(host) | ceil(@)",
    ],
)
def test_what_fails_is_told(expression: str) -> None:
    with pytest.raises(ExpressionError, match="fails here"):
        Evaluator().evaluate(expression, DOCUMENT)


@pytest.mark.parametrize(
    "expression",
    [
        " | ".join(["[@, @][]"] * 60),
        " | ".join(["[@, @]"] * 60) + " | to_string(@)",
        " | ".join(["{a: @, b: @}"] * 40) + " | length(to_string(@))",
        "[" + " | ".join(["[@,@]"] * 60) + ", " + " | ".join(["[@,@]"] * 60) + "] | [0] == [1]",
        " | ".join(["join('', [@, @])"] * 50),
        "|".join(["[@, @][][]"] * 80),
    ],
)
def test_what_grows_without_end_is_stopped_at_once(expression: str) -> None:
    start = time.process_time()
    with pytest.raises(ExpressionError, match="takes more than"):
        Evaluator().evaluate(expression, "x" * 100)
    assert time.process_time() - start < 3


def test_the_budget_is_of_all_expressions_together() -> None:
    evaluator = Evaluator(budget=100)
    assert evaluator.evaluate("checks[].name", DOCUMENT) == ["disk", "load"]
    with pytest.raises(ExpressionError, match="takes more than 100"):
        [evaluator.evaluate("checks[].name", DOCUMENT) for _ in range(100)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "host"]), inner, max_size=3)
    ),
    max_leaves=20,
)
WORDS = [
    "a",
    "b",
    "host",
    "@",
    "[]",
    "[*]",
    "*",
    ".",
    "|",
    "[0]",
    "[?a]",
    "&",
    "(",
    ")",
    ",",
    "`1`",
]
WORDS += ["length", "sort", "sort_by", "to_string", "keys", "max", "sum", "map", "merge", "==", "<"]


@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join), VALUES)
def test_nothing_but_its_own_error_comes_out(expression: str, value: object) -> None:
    with suppress(ExpressionError):
        Evaluator().evaluate(expression, value)
