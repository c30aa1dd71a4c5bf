"""Texts on a card: what is taken out, and where they are cut."""

from __future__ import annotations

from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from notifier.media.cards import cut, facts, plain
from tests.media.posted import an_event


def test_times_are_those_of_the_time_zone_in_use() -> None:
    event = an_event(stateful=True, tags=[])
    with timezone.override("Europe/Oslo"):
        assert facts(event) == [
            ("Time", "2026-11-23 13:30:00 CET"),
            ("Incident", "core-1:ge-0/0/1, since 2026-11-23 13:30:00 CET"),
        ]


def test_line_ends_become_newlines_and_nothing_unseen_stays() -> None:
    assert plain(" a\r\nb\rc\td\0\x1b\x9b\u202ee\ud800 \n") == "a\nb\nc\tde"
    assert plain("الخادم 🔥 字") == "الخادم 🔥 字"


def test_what_fits_is_left_alone() -> None:
    assert cut("abc", 3, len) == "abc"


def test_what_does_not_fit_is_cut_with_a_sign() -> None:
    assert cut("abcdef", 4, len) == "abc…"
    assert cut("ab cdef", 4, len) == "ab…"
    assert cut("abc", 1, len) == "…"
    assert cut("abc", 0, len) == ""


@given(st.text(), st.integers(0, 50))
def test_the_longest_beginning_that_fits_is_kept(text: str, most: int) -> None:
    def size(part: str) -> int:
        return sum(2 if char in "ab" else 1 for char in part)

    shown = cut(text, most, size)
    assert size(shown) <= most
    if shown != text and shown:
        kept = text.startswith(shown[:-1]) and len(shown) - 1
        assert shown.endswith("…")
        assert kept is not False
        rest = text[kept:].lstrip()
        assert size(f"{text[: len(text) - len(rest) + 1]}…") > most
