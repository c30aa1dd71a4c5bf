"""How long an SMS is, and where it is cut."""
# ruff: noqa: RUF001 - what is meant to be taken for another character

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.media.gsm import GSM_7, UCS_2, fit, parts, spell
from notifier.texts import graphemes

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
BASIC = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCZÄÖÑÜ§¿abczäöñüà"
EXTENSION = "^{}\\[~]|€"


@pytest.mark.parametrize("text", [BASIC, EXTENSION, ""])
def test_gsm_7_is_taken_where_it_can_be(text: str) -> None:
    assert spell(text) == (text, GSM_7)


@pytest.mark.parametrize("character", "çáíóúâêîôûÁłşğЖ中🔥")
def test_one_other_letter_takes_ucs_2_for_all(character: str) -> None:
    assert spell(f"a{character}") == (f"a{character}", UCS_2)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Anna’s ‘disk’", "Anna's 'disk'"),
        ("„full“ «now» “here”", '"full" "now" "here"'),
        ("down – up — soon…", "down - up - soon..."),
        ("• a → b", "* a -> b"),
    ],
)
def test_near_characters_cost_no_room(text: str, near: str) -> None:
    assert spell(text) == (near, GSM_7)


def test_a_text_that_needs_ucs_2_anyway_keeps_its_quotes() -> None:
    assert spell("“full” 🔥") == ("“full” 🔥", UCS_2)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # an escape and its character stay together: 76 pairs and a single one in each part
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("a" + "€" * 152, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("🔥" * 35, 1),
        ("🔥" * 36, 2),
        # a surrogate pair as well: 33 of them in each part
        ("🔥" * 66, 2),
        ("🔥" * 67, 3),
    ],
)
def test_a_text_has_so_many_parts(text: str, count: int) -> None:
    assert parts(text) == count


@pytest.mark.parametrize(
    ("text", "is_cut_to"),
    [
        ("a" * 160, "a" * 160),
        ("a" * 200, "a" * 157 + "..."),
        ("€" * 100, "€" * 78 + "..."),
        ("ж" * 200, "ж" * 69 + "…"),
        (FAMILY * 50, FAMILY * 8 + "…"),
        ("a" * 100 + "🔥", "a" * 100 + "..."),  # what is cut takes no UCS-2
    ],
)
def test_a_text_is_cut_so_that_it_fits(text: str, is_cut_to: str) -> None:
    assert fit(text, 1) == is_cut_to
    assert parts(is_cut_to) == 1


def test_a_text_of_a_megabyte_is_cut_at_once() -> None:
    assert parts(fit("a€" * 500_000, 2)) == 2


PIECES = [*"abc €[’“ж中é…", "🔥", FAMILY, "e\u0301", "🇳🇴"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=400).map("".join) | st.text(max_size=300)


@example(text="\x1b", most=1)
@given(text=TEXTS, most=st.integers(1, 3))
def test_it_fits_and_no_grapheme_is_split_and_no_room_is_wasted(text: str, most: int) -> None:
    sms = fit(text, most)
    assert parts(sms) <= most
    spelt, alphabet = spell(sms)
    assert sms == spelt
    assert sms.encode(alphabet).decode(alphabet) == sms
    whole = graphemes(text)
    cuts = ["".join(whole[:count]).rstrip() + "…" for count in range(len(whole))]
    if sms != spell(text)[0]:
        assert sms in {spell(each)[0] for each in cuts}
        longest = max((each for each in cuts if parts(each) <= most), key=len)
        assert len(sms) >= len(spell(longest)[0]) - 1


@given(st.text(BASIC + EXTENSION, max_size=500))
def test_gsm_7_is_counted_in_septets(text: str) -> None:
    septets = sum(2 if each in EXTENSION else 1 for each in text)
    assert (parts(text) == 1) == (septets <= 160)
    assert septets <= max(160, 153 * parts(text))
