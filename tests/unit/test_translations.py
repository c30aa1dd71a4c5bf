"""Translations: whole, and compiled from what translators see."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

import notifier

ROOT = Path(notifier.__file__).parent
LANGUAGES = sorted(each.name for each in (ROOT / "locale").iterdir())
KEYWORDS = {
    **dict.fromkeys(("gettext", "gettext_lazy")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
}
Texts = dict[tuple[str | None, str], str]


def catalogue(language: str, kind: str) -> Texts:
    with (ROOT / "locale" / language / f"LC_MESSAGES/django.{kind}").open("rb") as file:
        found: Catalog = read_po(file) if kind == "po" else read_mo(file)
    texts = {(each.context, str(each.id)): str(each.string) for each in found if each.id}
    return {(_decoded(context), said): meant for (context, said), meant in texts.items()}


def _decoded(context: bytes | str | None) -> str | None:
    return context.decode() if isinstance(context, bytes) else context  # as `read_mo` leaves it


def sources() -> set[tuple[str | None, str]]:
    """Return every text that the code and the templates want translated."""
    files = [*ROOT.glob("templates/**/*.*"), *ROOT.glob("**/*.py")]
    found: set[tuple[str | None, str]] = set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        code = text if file.suffix == ".py" else templatize(text)
        for _line, said, _comments, context in extract(
            "python", io.BytesIO(code.encode()), KEYWORDS
        ):
            found.add((context, said if isinstance(said, str) else said[-1]))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_what_the_source_says(language: str) -> None:
    assert catalogue(language, "mo") == catalogue(language, "po")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_that_nobody_asks_for(language: str) -> None:
    translated = catalogue(language, "po")
    assert all(translated.values())
    assert translated.keys() == sources()


def test_norwegian_is_there() -> None:
    assert "nb" in LANGUAGES
