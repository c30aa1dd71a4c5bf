"""What belongs to somebody: found for them alone, bounded in number, and kept while it is in use."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from notifier.api.problems import Refused
from notifier.errors import Problem
from notifier.models import DestinationConfig, NotificationProfile

Row = TypeVar("Row", bound=Model)

MOST = 1000
"""Objects of one kind that a user may make by the API."""
MOST_NAMED = 10


_KINDS: dict[type[Model], str] = {
    DestinationConfig: "destination",
    NotificationProfile: "profile",
}
"""What people call them, where it is another name than the model's."""


def own(rows: QuerySet[Row], pk: int) -> Row:
    """Return one of a user's rows; raise `Refused`, with the same words for another's as for none."""
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Refused(404, "Not found", f"You have no {_kind(rows.model)} {pk}.")
    return found


def own_named(rows: QuerySet[Row], pks: Collection[int], field: str) -> list[Row]:
    """Return those of a user's rows that a body names; raise `Refused`, naming the field, for others."""
    found = rows.in_bulk(pks)
    if missing := [
        Problem(f"{field}[{index}]", f"You have no {_kind(rows.model)} {pk}.")
        for index, pk in enumerate(pks)
        if pk not in found
    ]:
        raise Refused.invalid(*missing)
    return list(found.values())


def refuse_too_many(rows: QuerySet[Any]) -> None:
    """Raise `Refused` where a user has as many of these rows as they may."""
    if rows.count() >= MOST:
        detail = f"You have {MOST:,} {_kind(rows.model)}s, which is the most; delete one first."
        raise Refused(409, "Too many", detail)


def refuse_in_use(row: Model, profiles: Iterable[Any]) -> None:
    """Raise `Refused`, naming them, where profiles use a row."""
    if names := [each.name for each in profiles]:
        named = ", ".join(f"“{name}”" for name in names[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise Refused(
            409,
            "In use",
            f"This {_kind(type(row))} can't be deleted: it is used by {named}{more}; take it out there first.",
        )


def _kind(model: type[Model]) -> str:
    return _KINDS.get(model, str(model._meta.verbose_name))
