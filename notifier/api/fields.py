"""Fields of bodies, as the models have them: their rules are written once."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from pydantic import Field

LEFT_OUT: Any = Field(default_factory=lambda: None)
"""The default of what may be left out of a change, and then stays as it is."""


def of(model: type[Model], name: str) -> Any:
    """Return what a model says of a text: how long it may be, and what it is for."""
    field: Any = model._meta.get_field(name)
    return Field(
        max_length=field.max_length,
        min_length=0 if field.blank else 1,
        description=field.help_text or None,
    )
