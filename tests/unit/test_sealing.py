"""Secrets in a row: encrypted, and opened by that row alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import SettingsUnreadable
from notifier.sealing import SEALED, reseal, seal, unseal

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SETTINGS = {"url": "https://hooks.example/S3CR3T-1", "name": "ops", "level": 3}
TEXT = st.text('ab"\0ø😀', max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("secrets", "plain"),
    [
        (None, set()),
        ((), {"url", "name", "level"}),
        (("url",), {"name", "level"}),
        (["url", "level", "nothing"], {"name"}),
    ],
)
def test_what_is_secret_is_encrypted_and_nothing_else(secrets: Any, plain: set[str]) -> None:
    stored = seal(SETTINGS, secrets, "a row")
    assert stored.keys() - {SEALED} == plain
    assert ("S3CR3T" in json.dumps(stored)) == ("url" in plain)
    assert unseal(stored, "a row") == SETTINGS


@given(st.dictionaries(TEXT, VALUES, max_size=4), TEXT)
def test_any_settings_come_back_as_they_were(settings: dict[str, Any], row: str) -> None:
    assert unseal(json.loads(json.dumps(seal(settings, None, row))), row) == settings


def test_what_is_empty_or_no_secret_needs_no_key(settings: Any) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = []
    assert seal({}, None, "a row") == {}
    assert unseal(seal(SETTINGS, (), "a row"), "a row") == SETTINGS


def test_another_row_can_not_open_it() -> None:
    with pytest.raises(SettingsUnreadable, match="encrypted for another destination"):
        unseal(seal(SETTINGS, None, "a row"), "another row")


def tampered(token: str) -> str:
    place = len(token) // 2
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


@pytest.mark.parametrize("change", [tampered, lambda _: "", lambda _: "ø", lambda _: 5])
def test_what_was_changed_can_not_be_read(change: Any) -> None:
    stored = seal(SETTINGS, None, "a row")
    stored[SEALED] = change(stored[SEALED])
    with pytest.raises(SettingsUnreadable, match=r"^no key of NOTIFIER_ENCRYPTION_KEYS opens"):
        unseal(stored, "a row")


def test_a_key_is_rotated_without_a_gap(settings: Any) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = [OLD]
    before = seal(SETTINGS, ("url",), "a row")
    settings.NOTIFIER_ENCRYPTION_KEYS = [NEW, OLD]
    assert unseal(before, "a row") == SETTINGS
    after = reseal(before, ("url",), "a row")
    assert after is not None
    assert reseal(after, ("url",), "a row") is None
    settings.NOTIFIER_ENCRYPTION_KEYS = [NEW]
    assert unseal(after, "a row") == SETTINGS
    with pytest.raises(SettingsUnreadable):
        unseal(before, "a row")
    with pytest.raises(SettingsUnreadable):
        reseal(before, ("url",), "a row")


@pytest.mark.parametrize(
    ("before", "after"),
    [((), None), ((), ("url",)), (("url",), None), (None, ("url",)), (("url",), ())],
)
def test_what_has_become_secret_is_resealed(before: Any, after: Any) -> None:
    found = reseal(seal(SETTINGS, before, "a row"), after, "a row")
    assert found is not None
    assert found.keys() == seal(SETTINGS, after, "a row").keys()
    assert unseal(found, "a row") == SETTINGS


def test_nothing_of_the_secret_is_in_the_error() -> None:
    stored = seal(SETTINGS, None, "a row")
    with pytest.raises(SettingsUnreadable) as refused:
        unseal(stored, "S3CR3T row")
    assert "S3CR3T" not in repr(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("keys", [[], ["short"], "x" * 44, None])
def test_without_keys_it_says_which_setting_has_them(settings: Any, keys: Any) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match=r"^NOTIFIER_ENCRYPTION_KEYS: list of the keys"):
        seal(SETTINGS, None, "a row")
