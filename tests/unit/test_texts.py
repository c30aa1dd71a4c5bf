"""Texts: on one line, without controls, cut where nothing else breaks."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.texts import one_line, shorten, visible


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


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_controls_are_shown_to_a_terminal_as_what_they_are() -> None:
    assert visible("two\nlines\tof \x1b[2J and \u202e") == "two\nlines\tof \\x1b[2J and \\u202e"


@given(st.text(max_size=300), st.integers(20, 200))
def test_only_the_text_is_cut_and_no_more_than_must_be(text: str, limit: int) -> None:
    def fill(part: str) -> str:
        return f"END {part} [shop, 1]"

    def fits(whole: str) -> bool:
        return len(whole) <= limit

    cut = shorten(fill, text, fits)
    assert fits(cut)
    assert cut.startswith("END ")
    assert cut.endswith(" [shop, 1]")
    if fits(fill(text)):
        assert cut == fill(text)
    else:
        kept = cut.removeprefix("END ").removesuffix("… [shop, 1]")
        assert text.startswith(kept)
        assert not fits(fill(f"{text[: len(kept) + 1].rstrip()}…")) or text[len(kept)].isspace()


def test_what_stands_around_is_never_cut() -> None:
    assert shorten("{} [a long source]".format, "text", lambda _: False) == "… [a long source]"
