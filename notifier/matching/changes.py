"""Reading the log of changes: whose profiles to load anew, in one query, without a lock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection
from django.db.models.functions import Now

from notifier.models import Change

KEEP = dt.timedelta(days=1)
"""How long the log is kept at least."""
TOO_LONG = KEEP / 2
"""After so long without a look some of the log may be gone."""

_NEVER = 2**63 - 1
_TABLE = f'"{Change._meta.db_table}"'
# The look itself knows which transactions it does not see yet: all such have ids from xmin on.
_POSTGRESQL = f"""
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, STATEMENT_TIMESTAMP(),
           pg_postmaster_start_time() || ' ' || '{_TABLE}'::regclass::oid,
           c.id, c.transaction, c.at, c.owner
    FROM (SELECT 1) one LEFT JOIN {_TABLE} c ON c.transaction >= COALESCE(%s, {_NEVER})
"""  # noqa: S608 - our own table
_SQLITE = f"""
    SELECT 0, STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW'), '', c.id, c."transaction", c.at, c.owner
    FROM (SELECT 1) one
    LEFT JOIN {_TABLE} c ON c.id >= COALESCE(%s, (SELECT MAX(id) FROM {_TABLE}))
    ORDER BY c.id
"""  # noqa: S608 - our own table

_Row = tuple[int, int, object]
"""What tells a row of the log from any other, also after ids began anew: id, transaction, time."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a reader is in the log."""

    position: int
    """PostgreSQL: the oldest transaction that may not have been seen; SQLite: the last id seen."""
    seen: frozenset[_Row]
    """What was seen already from there on."""
    now: dt.datetime
    """When that was, by the database's clock."""
    since: dt.datetime
    """When a look came to this position first."""
    database: str = ""
    """PostgreSQL: tells this database from one that was restored, or has taken its place."""


def look(last: Mark | None) -> tuple[Mark, frozenset[str] | None]:
    """Return the new mark, and whose profiles have changed since the last; None: anybody's.

    Owners are primary keys as text. Whatever was committed before the call is told of.
    """
    if connection.vendor == "postgresql":
        return _look_postgresql(last)
    return _look_sqlite(last)


def _look_postgresql(last: Mark | None) -> tuple[Mark, frozenset[str] | None]:
    (xmin, now, database), rows = _read(_POSTGRESQL, last)
    since = last.since if last and last.position == xmin else now
    seen = frozenset(row for row in rows if row[1] >= xmin)
    mark = Mark(xmin, seen, now, since, database)
    if last is None or database != last.database:
        return mark, None
    # what a transaction wrote that was open for so long may have been forgotten before it was there
    if xmin != last.position and now - last.since > TOO_LONG:
        return mark, None
    return mark, _owners(rows, last, mark)


def _look_sqlite(last: Mark | None) -> tuple[Mark, frozenset[str] | None]:
    (_, now, _), rows = _read(_SQLITE, last)
    newest = max(rows, default=None)
    seen = frozenset([newest] if newest else ())
    mark = Mark(newest[0] if newest else 0, seen, now, now)
    # the row looked at last is always kept; without it the ids have begun anew
    if last is None or not last.seen <= rows.keys():
        return mark, None
    return mark, _owners(rows, last, mark)


def _read(
    sql: str, last: Mark | None
) -> tuple[tuple[int, dt.datetime, str], dict[_Row, str | None]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [last.position if last else None])
        found = cursor.fetchall()
    position, now, database = found[0][:3]
    if isinstance(now, str):
        now = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    rows = {(pk, number, at): owner for *_, pk, number, at, owner in found if pk is not None}
    return (position, now, database), rows


def _owners(rows: dict[_Row, str | None], last: Mark, mark: Mark) -> frozenset[str] | None:
    owners = {owner for row, owner in rows.items() if row not in last.seen}
    if None in owners or mark.now - last.now > TOO_LONG:
        return None
    return frozenset(owner for owner in owners if owner is not None)


def forget_old() -> None:
    """Delete what no reader needs any more; the newest row stays, as readers compare it."""
    newest = Change.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is not None:
        Change.objects.filter(at__lt=Now() - KEEP, pk__lt=newest).delete()
