"""Secrets as they are shown, and as they come back."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from notifier.masking import masked, unmasked

URL = "https://hooks.example/T0/S3CR3T-abcd"
SETTINGS = {"url": URL, "name": "ops"}
TEXT = st.text("ab•", max_size=20)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (URL, "••••abcd"),
        ("x" * 12 + "abcd", "••••abcd"),
        ("x" * 11 + "abcd", "••••"),
        ("s", "••••"),
        (12345678901234567, "••••"),
        (["S3CR3T"], "••••"),
        (False, "••••"),
        ("", ""),
        (None, None),
    ],
)
def test_a_secret_is_shown_by_its_end_at_most(value: object, shown: object) -> None:
    assert masked({"url": value, "name": "ops"}, ["url"]) == {"url": shown, "name": "ops"}


def test_where_nothing_is_said_all_is_secret() -> None:
    assert masked(SETTINGS, None) == {"url": "••••abcd", "name": "••••"}
    assert masked(SETTINGS, ()) == SETTINGS


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), TEXT | st.integers() | st.lists(TEXT)),
    st.none() | st.lists(st.sampled_from(["a", "b"])),
)
def test_what_comes_back_as_it_was_shown_is_as_it_was(old: Any, secrets: Any) -> None:
    if any(str(value).startswith("••••") for value in old.values()):
        return
    assert unmasked(masked(old, secrets), old, secrets) == old


def test_what_is_written_anew_is_taken() -> None:
    new = {"url": "https://hooks.example/other", "name": "••••abcd"}
    assert unmasked(new, SETTINGS, ["url"]) == new
    assert unmasked({"url": "••••abcd"}, SETTINGS, ["url"]) == {"url": URL}
    assert unmasked(["••••abcd"], SETTINGS, ["url"]) == ["••••abcd"]


@pytest.mark.parametrize("value", ["••••", "••••abcX", "••••abcd/more"])
@pytest.mark.parametrize("old", [SETTINGS, {}])
def test_the_mask_of_something_else_is_refused(value: str, old: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        unmasked({"url": value}, old, ["url"])
    assert refused.value.messages == [
        "url: write the whole value; or leave it as it was shown, to keep it."
    ]
