"""What belongs to somebody: found for them alone, and bounded in number."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from notifier.api.problems import Refused

Row = TypeVar("Row", bound=Model)

MOST = 1000
"""Objects of one kind that a user may make by the API."""


def own(rows: QuerySet[Row], pk: int) -> Row:
    """Return one of a user's rows; raise `Refused`, with the same words for another's as for none."""
    found = rows.filter(pk=pk).first()
    if found is None:
        name = rows.model._meta.verbose_name
        raise Refused(404, "Not found", f"You have no {name} {pk}.")
    return found


def refuse_too_many(rows: QuerySet[Row]) -> None:
    """Raise `Refused` where a user has as many of these rows as they may."""
    if rows.count() >= MOST:
        names = rows.model._meta.verbose_name_plural
        raise Refused(
            409, "Too many", f"You have {MOST:,} {names}, which is the most; delete one first."
        )
