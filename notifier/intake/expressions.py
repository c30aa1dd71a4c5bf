"""JMESPath with a budget: an expression can make much of little, and must not take the process along.

`[@, @][] | [@, @][] | …` doubles its input with each step. So every step is counted with the size
of what it makes, and a function with the size of what it is given.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

LONGEST = 1000
BUDGET = 500_000
"""Steps, values and hundreds of characters of one request: about a second."""
_CHARACTERS = 100

_FUNCTIONS = Functions()


class ExpressionError(ValueError):
    """An expression that can't be read, or not be evaluated here: a sentence that says why."""


@lru_cache(maxsize=1024)
def compiled(expression: str) -> ParsedResult:
    """Parse an expression; raise `ExpressionError`."""
    if len(expression) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters")
    try:
        return jmespath.compile(expression)
    except RecursionError:
        raise ExpressionError("nested too deep") from None
    except (JMESPathError, ValueError, TypeError, KeyError, AttributeError) as error:
        first, *_ = str(error).splitlines() or [""]
        raise ExpressionError(f"no JMESPath: {first[:200]}") from None


class Evaluator(TreeInterpreter):
    """Evaluates the expressions of one request, all out of one budget."""

    def __init__(self, budget: int = BUDGET) -> None:
        super().__init__()
        self._left = budget
        self._budget = budget
        self._sizes: dict[int, int] = {}
        self._kept: list[object] = []
        """What has been measured: its id must not become another's."""

    def evaluate(self, expression: str, value: object) -> Any:
        """Return what an expression makes of a value; raise `ExpressionError`."""
        try:
            return self.visit(compiled(expression).parsed, value)
        except ExpressionError:
            raise
        except RecursionError:
            raise ExpressionError("nested too deep") from None
        # its functions trust their arguments more than they should
        except (
            JMESPathError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise ExpressionError(f"fails here ({type(error).__name__})") from None

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Visit a node; raise `ExpressionError` once the budget is spent."""
        self._spend(1)
        made = super().visit(node, *args, **kwargs)
        if isinstance(made, str | list | dict) and not any(made is each for each in args):
            self._spend(self._size(made) if node["type"] in _MAKING else 0)
        return made

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        """Call a function, which may look at all that it is given."""
        given = [self.visit(child, value) for child in node["children"]]
        self._spend(sum(map(self._size, given)))
        return _FUNCTIONS.call_function(node["value"], given)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """Compare, which may look at all of both sides."""
        sides = [self.visit(child, value) for child in node["children"]]
        self._spend(sum(map(self._size, sides)))
        literals: Any = [{"type": "literal", "value": side, "children": []} for side in sides]
        bare: Any = {**node, "children": literals}
        return super().visit_comparator(bare, value)

    def _spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise ExpressionError(
                f"takes more than {self._budget:,} steps and values for this body"
            )

    def _size(self, value: object) -> int:
        """Return how much a value is, written out; what is in it twice counts twice."""
        if isinstance(value, str):
            return 1 + len(value) // _CHARACTERS
        if not isinstance(value, list | dict):
            return 1
        known = self._sizes.get(id(value))
        if known is None:
            inner = value.values() if isinstance(value, dict) else value
            known = self._sizes[id(value)] = 1 + sum(map(self._size, inner))
            self._kept.append(value)
        return known


_MAKING = {
    *("function_expression", "multi_select_list", "multi_select_dict", "flatten", "slice"),
    *("projection", "filter_projection", "value_projection"),
}
"""The nodes that make something new; others pass on what is there."""
