"""Secrets as people see them: `••••abcd`, and the mask means “as it was” when it comes back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError

MASK = "••••"
SHOWN = 4
SHORTEST_SHOWN = 16
"""The last characters of anything shorter would give too much of it away."""


def masked(settings: Mapping[str, Any], secrets: Collection[str] | None) -> dict[str, Any]:
    """Return settings to be shown: those named in `secrets` (None: all) masked."""
    return {
        name: _mask(value) if secrets is None or name in secrets else value
        for name, value in settings.items()
    }


def unmasked(new: Any, old: Mapping[str, Any], secrets: Collection[str] | None) -> Any:
    """Return settings that were shown masked and come back, with the old value for each mask.

    What is no mapping comes back as it is. Raise `ValidationError` for the mask of something else.
    """
    if not isinstance(new, Mapping):
        return new
    masks = masked(old, secrets)
    found = {}
    for name, value in new.items():
        secret = secrets is None or name in secrets
        if secret and isinstance(value, str) and value.startswith(MASK):
            if value != masks.get(name):
                raise ValidationError(
                    f"{name}: write the whole value; or leave it as it was shown, to keep it."
                )
            value = old[name]  # noqa: PLW2901 - the mask's own
        found[name] = value
    return found


def _mask(value: Any) -> Any:
    if value in (None, ""):
        return value
    shown = value[-SHOWN:] if isinstance(value, str) and len(value) >= SHORTEST_SHOWN else ""
    return f"{MASK}{shown}"
