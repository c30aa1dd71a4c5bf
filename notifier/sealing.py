"""Settings at rest: secrets are encrypted in the row (Fernet), and only that row can open them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured

from notifier import conf
from notifier.errors import SettingsUnreadable

SEALED = "$sealed"
"""The key of what is encrypted; no form can have a field of that name."""


def seal(settings: Mapping[str, Any], secrets: Collection[str] | None, row: str) -> dict[str, Any]:
    """Return settings as they are stored, those named in `secrets` (None: all) in one Fernet token.

    `row` is what tells the row that holds them from all others: it alone can open them.
    """
    hidden = {name: settings[name] for name in settings if secrets is None or name in secrets}
    stored = {name: value for name, value in settings.items() if name not in hidden}
    if hidden:
        text = json.dumps({"row": row, "settings": hidden})
        stored[SEALED] = MultiFernet(_keys()).encrypt(text.encode()).decode()
    return stored


def unseal(stored: Mapping[str, Any], row: str) -> dict[str, Any]:
    """Return the settings of what `seal` returned; raise `SettingsUnreadable`."""
    plain = {name: value for name, value in stored.items() if name != SEALED}
    if SEALED not in stored:
        return plain
    try:
        opened = json.loads(MultiFernet(_keys()).decrypt(stored[SEALED]))
    except (InvalidToken, TypeError, ValueError):
        # without what led here: nothing of the token is anybody's business
        raise SettingsUnreadable(
            f"no key of {conf.ENCRYPTION_KEYS.name} opens these settings: put the key back that is "
            "missing there, or write the settings anew"
        ) from None
    if opened["row"] != row:
        raise SettingsUnreadable(
            "these settings were encrypted for another destination: write them anew"
        )
    return {**plain, **opened["settings"]}


def reseal(
    stored: Mapping[str, Any], secrets: Collection[str] | None, row: str
) -> dict[str, Any] | None:
    """Return settings as `seal` would store them now; None where they are so, by the first key.

    Raise `SettingsUnreadable`.
    """
    fresh = seal(unseal(stored, row), secrets, row)
    if fresh.keys() != stored.keys():
        return fresh
    try:
        if SEALED in stored:
            _keys()[0].decrypt(stored[SEALED])
    except InvalidToken:
        return fresh
    return None


def _keys() -> list[Fernet]:
    keys = conf.ENCRYPTION_KEYS()
    if not conf.ENCRYPTION_KEYS.valid(keys):
        raise ImproperlyConfigured(f"{conf.ENCRYPTION_KEYS.name}: {conf.ENCRYPTION_KEYS.meaning}")
    return [Fernet(key) for key in keys]
