"""Text that is safe where it goes: on one line, without control characters, no longer than fits."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from wcwidth import iter_graphemes

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""But newline and tab: C0, DEL, C1, what breaks a line or turns its direction, half characters."""


def plain(text: str) -> str:
    """Return a text without controls of terminals and direction; all that breaks a line is a newline."""
    return _CONTROLS.sub(
        lambda found: "\n" if found[0].isspace() else "", text.replace("\r\n", "\n")
    )


def one_line(text: str) -> str:
    """Return a text on one line, likewise without controls."""
    return " ".join(plain(text).split())


def visible(text: str) -> str:
    """Return a text with its controls spelt out, so that a terminal shows what is there."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def graphemes(text: str) -> list[str]:
    """Return what a reader takes for characters (UAX 29)."""
    return list(iter_graphemes(text))


def cut(text: str, most: int, size: Callable[[str], int] = len) -> str:
    """Return a text of at most this size, the last an ellipsis where it is cut; no grapheme is split.

    `size` counts at least 1 for each character.
    """
    return shorten(str, text[: most + 1], lambda cut: size(cut) <= most)


def shorten(fill: Callable[[str], str], text: str, fits: Callable[[str], bool]) -> str:
    """Return `fill(text)`, with as little as possible of the text's end left out, so that it fits.

    No grapheme is split. What `fill` puts around the text stays whole: that alone may still be too
    long.
    """
    whole = fill(text)
    if fits(whole):
        return whole

    pieces = graphemes(text)

    def filled(kept: int) -> str:
        return fill(f"{''.join(pieces[:kept]).rstrip()}…")

    too_long = bisect_left(range(len(pieces)), True, key=lambda kept: not fits(filled(kept)))
    return filled(max(too_long - 1, 0))
