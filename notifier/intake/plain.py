"""Strict JSON: what a database and a mail can hold, and nothing that only looks like it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from notifier.errors import InvalidEvent, Problem

MAX_DEPTH = 20


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(repeated, _)] = Counter(key for key, _ in pairs).most_common(1)
        _check_text(repeated, "body")
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


def check_plain(value: object, *, path: str = "") -> None:
    """Raise `InvalidEvent` for text that can't be stored, numbers that aren't, and deep nesting."""
    _check(value, path, MAX_DEPTH)


def _check(value: object, path: str, depth: int) -> None:
    if depth == 0:
        raise InvalidEvent([Problem(_root(path), f"nested more than {MAX_DEPTH} deep")])
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent([Problem(_root(path), "not a finite number")])
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise InvalidEvent([Problem(_root(path), "every key must be a string")])
            _check_text(key, path)
            _check(each, f"{path}.{key[:80]}", depth - 1)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _check(each, f"{path}[{index}]", depth - 1)


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        raise InvalidEvent([Problem(_root(path), "holds a NUL character; remove it")])
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidEvent(
            [Problem(_root(path), "holds half of a surrogate pair, which is no character")]
        ) from None


def _root(path: str) -> str:
    return path.removeprefix(".") or "event"
