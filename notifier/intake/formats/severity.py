"""The words by which monitoring systems say how bad something is."""

from __future__ import annotations

_WORDS = {
    1: "critical crit page emergency emerg alert fatal disaster p1",
    2: "error err high major p2",
    3: "warning warn moderate medium average p3",
    4: "minor low p4",
    5: "info information informational none debug notice ok p5",
}
LEVELS = {word: level for level, words in _WORDS.items() for word in words.split()}


def level_of(severity: object, default: int) -> int:
    """Return the level that a word or a number from 1 to 5 stands for, else the default."""
    if isinstance(severity, bool):
        return default
    if isinstance(severity, int | float):
        return int(severity) if severity in LEVELS.values() else default
    word = severity.strip().lower() if isinstance(severity, str) else ""
    return int(word) if word in {"1", "2", "3", "4", "5"} else LEVELS.get(word, default)
