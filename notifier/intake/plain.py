"""Strict JSON: nothing that only looks like it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from notifier.errors import InvalidEvent, Problem
from notifier.plain import MAX_DEPTH, check_plain, check_text

__all__ = ["MAX_DEPTH", "check_plain", "parse_json"]


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(repeated, _)] = Counter(key for key, _ in pairs).most_common(1)
        check_text(repeated, "body")
        raise InvalidEvent([Problem(repeated[:80], "the key occurs twice in one object")])
    return found


def _no_constant(name: str) -> None:
    raise InvalidEvent([Problem("body", f"{name} is no JSON; leave the number out or write null")])


def parse_json(body: bytes) -> Any:
    """Parse a request's body; raise `InvalidEvent` with a sentence where it is no strict JSON."""
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_no_constant
        )
    except InvalidEvent:  # a ValueError too, and its sentence is the better one
        raise
    except UnicodeDecodeError as error:
        sentence = f"not UTF-8 (byte {error.start}); send JSON encoded as UTF-8"
    except json.JSONDecodeError as error:
        sentence = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        sentence = f"nested more than {MAX_DEPTH} deep"
    except ValueError:  # an integer of more digits than Python converts
        sentence = "holds a number of too many digits"
    raise InvalidEvent([Problem("body", sentence)])
