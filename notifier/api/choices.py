"""Columns of few values, as the API describes them."""

from __future__ import annotations

from django.db.models import TextChoices
from pydantic import WithJsonSchema


def of(choices: type[TextChoices]) -> WithJsonSchema:
    """Describe choices where they are used, not by the name of their class.

    Django's way is to call them all `State` or `Type`, each inside its model; in the description these
    would be one.
    """
    return WithJsonSchema({"type": "string", "enum": list(choices.values)})
