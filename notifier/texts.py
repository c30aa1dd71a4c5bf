"""Text that is safe where it goes: on one line, without control characters, no longer than fits."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from wcwidth import iter_graphemes

CONTROLS = "\x00-\x1f\x7f-\x9f"
"""C0, DEL and C1, as a range for a regular expression."""
_HIDDEN = re.compile(f"[{CONTROLS}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""And what reverses the direction of the text behind it, breaks its line, or is half a character."""


def one_line(text: str) -> str:
    """Return a text on one line, without controls of terminals, lines and direction."""
    return " ".join(_HIDDEN.sub(lambda found: " " if found[0].isspace() else "", text).split())


def visible(text: str) -> str:
    """Return a text with its controls spelt out, so that a terminal shows what is there."""
    return _HIDDEN.sub(
        lambda found: (
            found[0] if found[0] in "\n\t" else found[0].encode("unicode_escape").decode()
        ),
        text,
    )


def graphemes(text: str) -> list[str]:
    """Return what a reader takes for characters (UAX 29)."""
    return list(iter_graphemes(text))


def cut(text: str, most: int) -> str:
    """Return at most so many characters, the last an ellipsis where it is cut; no grapheme is split."""
    return shorten(str, text[: most + 1], lambda cut: len(cut) <= most)


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
