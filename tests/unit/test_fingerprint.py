"""Fingerprints of addresses."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from notifier.fingerprint import fingerprint

KEY = "k" * 32


def test_it_never_changes(settings: Any) -> None:
    settings.NOTIFIER_FINGERPRINT_KEY = KEY
    assert fingerprint("sms", "+4790909090") == (
        "471e01ff5f431c4148a7236721be4ced5f1ae75c8be8041af5453a0b88064cad"
    )


def test_another_key_makes_another_fingerprint(settings: Any) -> None:
    found = set()
    for key in (KEY, "l" * 32):
        settings.NOTIFIER_FINGERPRINT_KEY = key
        found.add(fingerprint("sms", "+4790909090"))
    assert len(found) == 2


@given(st.text(), st.text())
def test_two_addresses_share_a_fingerprint_only_where_they_agree(one: str, other: str) -> None:
    assert (fingerprint("sms", one) == fingerprint("sms", other)) == (one == other)


def test_a_medium_is_part_of_it_and_the_address_is_not() -> None:
    assert fingerprint("sms", "anna") != fingerprint("email", "anna")
    assert "4790909090" not in fingerprint("sms", "+4790909090")
    assert len(fingerprint("sms", "+4790909090")) == 64


def test_without_a_key_there_is_none(settings: Any) -> None:
    settings.NOTIFIER_FINGERPRINT_KEY = ""
    with pytest.raises(
        ImproperlyConfigured, match=r"^NOTIFIER_FINGERPRINT_KEY: secret of at least"
    ):
        fingerprint("sms", "+4790909090")
