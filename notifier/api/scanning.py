"""Pages of tables that never stop growing: newest first, each at a bounded cost.

A page holds what is wanted among the next `MOST_SCANNED` rows. So it may hold less than was asked
for, even nothing, while there is more: what few rows have is not looked for in all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from notifier.api.callers import CallerRequest
from notifier.api.paging import Paging, seal, unseal

MOST_SCANNED = 10_000

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: behind a row, by what orders them and its primary key.

    Without the latter: behind all rows of that moment.
    """

    key: Any
    pk: Any = None


@dataclass(frozen=True, slots=True)
class Scanned(Generic[Row]):
    """A page, and where it ends; None where nothing follows."""

    rows: list[Row]
    end: Place | None


def scan(
    rows: QuerySet[Row],
    *,
    by: str,
    limit: int,
    after: Place | None = None,
    narrow: Callable[[QuerySet[Row]], QuerySet[Row]] | None = None,
) -> Scanned[Row]:
    """Return up to `limit` rows, newest first by the column `by`.

    `rows` are all, or those by which an index begins that goes on with `by`. `narrow` filters them
    by anything else.
    """
    if after is not None:
        rows = rows.filter(_behind(by, after))
    horizon = None
    if narrow is not None:
        # of the index alone: no row is read for it
        keys = rows.order_by(f"-{by}").values_list(by, flat=True)
        horizon = next(iter(keys[MOST_SCANNED - 1 : MOST_SCANNED]), None)
        if horizon is not None:
            rows = rows.filter(**{f"{by}__gte": horizon})
        rows = narrow(rows)
    found = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    if len(found) > limit:
        last = found[limit - 1]
        return Scanned(found[:limit], Place(getattr(last, by), last.pk))
    return Scanned(found, None if horizon is None else Place(horizon))


def page_newest(
    request: CallerRequest,
    rows: QuerySet[Row],
    asked: Paging,
    *,
    by: str,
    narrow: Callable[[QuerySet[Row]], QuerySet[Row]] | None = None,
) -> tuple[list[Row], str | None]:
    """Return a page as `scan` does, and the next one's cursor."""
    meta: Any = rows.model._meta
    after = None
    if asked.cursor is not None:
        key, pk = unseal(request, asked.cursor)
        after = Place(meta.get_field(by).to_python(key), meta.pk.to_python(pk))
    found = scan(rows, by=by, limit=asked.limit, after=after, narrow=narrow)
    if found.end is None:
        return found.rows, None
    pk = found.end.pk
    return found.rows, seal(request, str(found.end.key), None if pk is None else str(pk))


def _behind(by: str, place: Place) -> Q:
    if place.pk is None:
        return Q(**{f"{by}__lt": place.key})
    return Q(**{f"{by}__lte": place.key}) & ~Q(**{by: place.key, "pk__gte": place.pk})
