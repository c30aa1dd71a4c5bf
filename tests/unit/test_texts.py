"""Texts: on one line, without controls, cut where nothing else breaks."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.texts import cut, graphemes, one_line, plain, shorten, visible


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("disk\r\nBcc: x@example.org", "disk Bcc: x@example.org"),
        ("a\x0bb\x0cc\x85d\u2028e\u2029f", "a b c d e f"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("\x9b31mred", "31mred"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066a\u2069\u200e\u200f\u061cb", "ab"),
        ("NUL\x00 and DEL\x7f", "NUL and DEL"),
        ("  Ærlig talt…  ", "Ærlig talt…"),
        ("half \ud83d a pair", "half a pair"),
    ],
)
def test_a_line_has_no_breaks_and_no_controls(written: str, line: str) -> None:
    assert one_line(written) == line


@given(st.text())
def test_whatever_is_written_becomes_one_harmless_line(written: str) -> None:
    line = one_line(written)
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(each) == "Cc" for each in line)
    assert not any(unicodedata.bidirectional(each) in BIDI for each in line)
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("abc\u200e\u200f\u2028\u061cdef", "abc\ndef"),
        ("a\r\nb\rc\x85d\te\n", "a\nb\nc\nd\te\n"),
        ("\0\x1b[2J\x9b\u202eback\ud800", "[2Jback"),
        ("الخادم 🔥 字", "الخادم 🔥 字"),
    ],
)
def test_a_text_keeps_its_lines_and_tabs_alone(written: str, lines: str) -> None:
    assert plain(written) == lines


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_controls_are_shown_to_a_terminal_as_what_they_are() -> None:
    assert visible("two\nlines\tof \x1b[2J and \u202e") == "two\nlines\tof \\x1b[2J and \\u202e"


@given(st.text(max_size=300), st.integers(20, 200))
def test_only_the_text_is_cut_and_no_more_than_must_be(text: str, limit: int) -> None:
    def fill(part: str) -> str:
        return f"END {part} [shop, 1]"

    def fits(whole: str) -> bool:
        return len(whole) <= limit

    short = shorten(fill, text, fits)
    assert fits(short)
    assert short.startswith("END ")
    assert short.endswith(" [shop, 1]")
    if fits(fill(text)):
        assert short == fill(text)
    else:
        kept = short.removeprefix("END ").removesuffix("… [shop, 1]")
        assert text.startswith(kept)
        whole = graphemes(text[len(kept) :])[0]
        assert not fits(fill(f"{(kept + whole).rstrip()}…")) or whole.isspace()


def test_what_stands_around_is_never_cut() -> None:
    assert shorten("{} [a long source]".format, "text", lambda _: False) == "… [a long source]"


FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "most", "is_cut_to"),
    [
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        ("123 56", 5, "123…"),
        (f"ab{FAMILY}c", 6, "ab…"),
        (f"a{FAMILY}cd", 7, f"a{FAMILY}…"),
        ("ae\u0301i", 3, "a…"),
    ],
)
def test_a_text_is_cut_between_two_graphemes(text: str, most: int, is_cut_to: str) -> None:
    assert cut(text, most) == is_cut_to


def test_a_text_is_cut_to_a_size_of_another_kind() -> None:
    def size(text: str) -> int:
        return len(text.encode())

    assert cut(f"æ{FAMILY}", 5, size) == "æ…"
    assert cut(f"æ{FAMILY}", 20, size) == f"æ{FAMILY}"


@given(st.text(), st.integers(1, 50))
def test_what_is_cut_is_a_beginning_of_whole_graphemes(text: str, most: int) -> None:
    kept = cut(text, most)
    assert len(kept) <= most
    if kept != text:
        whole = graphemes(text)
        assert kept[:-1] in {"".join(whole[:count]).rstrip() for count in range(len(whole))}
