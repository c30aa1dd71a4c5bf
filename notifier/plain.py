"""What a database and a mail can hold: finite numbers, whole characters, bounded nesting."""

from __future__ import annotations

import math
from collections.abc import Mapping

from notifier.errors import InvalidEvent, Problem

MAX_DEPTH = 20


def check_plain(value: object, *, path: str = "") -> None:
    """Raise `InvalidEvent` for text that can't be stored, numbers that aren't, and deep nesting."""
    _check(value, path, MAX_DEPTH)


def check_text(text: str, path: str) -> None:
    """Raise `InvalidEvent` for a text that can't be stored."""
    if "\0" in text:
        raise InvalidEvent([Problem(_root(path), "holds a NUL character; remove it")])
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidEvent(
            [Problem(_root(path), "holds half of a surrogate pair, which is no character")]
        ) from None


def _check(value: object, path: str, depth: int) -> None:
    if depth == 0:
        raise InvalidEvent([Problem(_root(path), f"nested more than {MAX_DEPTH} deep")])
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent([Problem(_root(path), "not a finite number")])
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise InvalidEvent([Problem(_root(path), "every key must be a string")])
            check_text(key, path)
            _check(each, f"{path}.{key[:80]}", depth - 1)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _check(each, f"{path}[{index}]", depth - 1)


def _root(path: str) -> str:
    return path.removeprefix(".") or "event"
