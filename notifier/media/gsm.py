"""How long an SMS is: GSM-7 with its extension table, else UCS-2 (3GPP TS 23.038, 23.040)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import gsm0338  # registers the codec

from notifier.texts import shorten

GSM_7 = gsm0338.Codec.NAME
UCS_2 = "utf-16-be"
"""What phones take for UCS-2, so that emoji come through: as two units each."""


@dataclass(frozen=True, slots=True)
class Room:
    """Units in an SMS of one part, and in each part of a longer one, whose header takes the rest."""

    alone: int
    each: int


_ROOMS = {GSM_7: Room(160, 153), UCS_2: Room(70, 67)}
_NEAR = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\x1b": "",  # alone, GSM-7's escape says nothing
        "\u2022": "*",
        "\u2026": "...",
        "\u2192": "->",
    }
)
"""What people's keyboards and programs put where GSM-7 has something that reads the same."""


def spell(text: str) -> tuple[str, str]:
    """Return a text as it is to be sent, and its alphabet.

    Where near-GSM characters alone stand in the way of GSM-7 they are replaced, because one curly
    quote would more than halve the room; a text that needs UCS-2 anyway stays as it is.
    """
    near = text.translate(_NEAR)
    try:
        near.encode(GSM_7)
    except UnicodeEncodeError:
        return text, UCS_2
    return near, GSM_7


def parts(text: str) -> int:
    """Return how many parts an SMS has."""
    spelt, alphabet = spell(text)
    room = _ROOMS[alphabet]
    # an escaped character and a surrogate pair are two units that stay in one part
    units = [_units(each, alphabet) for each in spelt]
    return 1 if sum(units) <= room.alone else _filled(units, room.each)


def _units(character: str, alphabet: str) -> int:
    width = 2 if alphabet == UCS_2 else 1
    return len(character.encode(alphabet)) // width


def _filled(units: Iterable[int], room: int) -> int:
    count, used = 1, 0
    for each in units:
        if used + each > room:
            count, used = count + 1, 0
        used += each
    return count


def fit(text: str, most_parts: int) -> str:
    """Return a text as an SMS of at most so many parts, cut at its end where need be."""
    longest = _ROOMS[GSM_7].alone * most_parts
    return spell(shorten(str, text[: longest + 1], lambda text: parts(text) <= most_parts))[0]
