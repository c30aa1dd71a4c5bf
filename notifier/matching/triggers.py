"""Database triggers that log whose rows changed, whoever wrote, and by whatever way.

Which profiles rest on a row is asked by whoever reads the log: a transaction that is not committed yet
may let a profile rest on a row whose change is logged now. Timeslots themselves decide nothing (their
recurrences do), nor do sources (an event brings its own).
"""

# ruff: noqa: S608 - names of tables and columns alone

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from notifier.matching.loading import active_field
from notifier.models import (
    Change,
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    TimeRecurrence,
    Timeslot,
)

_NAME = "notifier_change"
_EVENTS = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A table, and how the owners follow from one of its columns."""

    label: str
    table: str
    column: str
    owners: str
    """SQL that selects the owners' keys; `{rows}` stands for the column of the changed rows."""
    only: tuple[str, ...] = ()
    """The columns whose update matters; empty: all. Their inserts don't matter then."""

    @property
    def events(self) -> tuple[str, ...]:
        return _EVENTS[1:] if self.only else _EVENTS


def _watched() -> Iterator[_Watched]:
    own = 'SELECT "user_id" AS "owner" FROM {rows} AS "r"'
    yield _Watched("profile", _table(NotificationProfile), "user_id", own)
    yield _Watched("preferences", _table(Preferences), "user_id", own)
    for model in (Filter, DestinationConfig):
        label = str(model._meta.model_name)
        yield _Watched(label, _table(model), "user_id", own)
        yield _owned("profile_" + label, _through(model), NotificationProfile)
    yield _owned("recurrence", _table(TimeRecurrence), Timeslot)
    yield from _users()


def _owned(label: str, table: str, model: type[Model]) -> _Watched:
    """Watch a table whose rows belong to another's."""
    column = f"{model._meta.model_name}_id"
    owners = (
        f'SELECT "o"."user_id" AS "owner" FROM {{rows}} AS "r" '
        f'JOIN "{_table(model)}" AS "o" ON "o"."id" = "r"."{column}"'
    )
    return _Watched(label, table, column, owners)


def _users() -> Iterator[_Watched]:
    """Watch a name and whether its account is active, in whatever tables a host keeps these."""
    user = get_user_model()
    by_table: dict[type[Model], list[str]] = {}
    for name in filter(None, (user.USERNAME_FIELD, active_field())):
        field = user._meta.get_field(name)
        if isinstance(field, Field) and field.column:
            by_table.setdefault(field.model, []).append(field.column)
    for number, (model, columns) in enumerate(by_table.items()):
        key = str(model._meta.pk.column)
        owners = f'SELECT "{key}" AS "owner" FROM {{rows}} AS "r"'
        yield _Watched(f"user_{number}", _table(model), key, owners, only=tuple(columns))


def _table(model: type[Model]) -> str:
    return model._meta.db_table


def _through(model: type[Model]) -> str:
    name = {Filter: "filters", DestinationConfig: "destinations"}[model]
    return _table(getattr(NotificationProfile, name).through)


def make_triggers(using: str = DEFAULT_DB_ALIAS) -> None:
    """Make what is missing or differs; then everybody may have changed unseen, which is logged.

    Does nothing in a database without Notifier's tables. Django rebuilds tables on SQLite, which
    drops their triggers; so this is called after each `migrate`, whichever app it was for.
    """
    connection = connections[using]
    if not _ready(connection):
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for each in _watched():
                cursor.execute(_function(each))
        missing = _missing(connection)
        for name, table, sql in missing:
            cursor.execute(_drop(connection, name, table))
            cursor.execute(sql)
        if missing:
            Change.objects.using(using).create(transaction=_transaction(connection), owner=None)


def drop_triggers(using: str = DEFAULT_DB_ALIAS) -> None:
    """Drop them all: SQLite rebuilds no table that the trigger of another one names."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for each in _watched():
                cursor.execute(f'DROP FUNCTION IF EXISTS "{_NAME}_{each.label}" CASCADE')
        else:
            for name, table, _ in _triggers(connection):
                cursor.execute(_drop(connection, name, table))


def missing_triggers(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the tables that changes are not logged of, as a trigger is missing or off."""
    return sorted({table for _, table, _ in _missing(connections[using])})


def _ready(connection: BaseDatabaseWrapper) -> bool:
    tables = set(connection.introspection.table_names())
    return _table(Change) in tables and tables.issuperset(each.table for each in _watched())


def _missing(connection: BaseDatabaseWrapper) -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            found = set(cursor.fetchall())
            return [each for each in _triggers(connection) if (each[0], each[2]) not in found]
        cursor.execute(
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
            "WHERE tgname LIKE %s AND tgenabled <> 'D' AND pg_table_is_visible(c.oid)",
            [f"{_NAME}%"],
        )
        found = set(cursor.fetchall())
        return [each for each in _triggers(connection) if each[:2] not in found]


def _triggers(connection: BaseDatabaseWrapper) -> list[tuple[str, str, str]]:
    """Return each trigger's name, its table and the SQL that makes it."""
    make = _postgresql if connection.vendor == "postgresql" else _sqlite
    return [trigger for each in _watched() for trigger in make(each)]


def _drop(connection: BaseDatabaseWrapper, name: str, table: str) -> str:
    where = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    return f'DROP TRIGGER IF EXISTS "{name}"{where}'


def _transaction(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return int(cursor.fetchone()[0])


# SQLite: row by row


def _sqlite(each: _Watched) -> Iterator[tuple[str, str, str]]:
    log = f'INSERT INTO "{_table(Change)}" ("transaction", "owner")'
    for event in each.events:
        of = ", ".join(f'"{column}"' for column in each.only)
        when = f"UPDATE OF {of}" if of and event == "UPDATE" else event
        sides = {"INSERT": ("NEW",), "DELETE": ("OLD",), "UPDATE": ("OLD", "NEW")}[event]
        rows = " UNION ".join(f'SELECT {side}."{each.column}" AS "{each.column}"' for side in sides)
        name = f"{_NAME}_{each.label}_{event.lower()}"
        log_owners = f'{log} SELECT DISTINCT 0, CAST("owner" AS TEXT) FROM ({_owners(each, rows)})'
        make = f'CREATE TRIGGER "{name}" AFTER {when} ON "{each.table}" BEGIN {log_owners}; END'
        yield name, each.table, make


# PostgreSQL: statement by statement


def _postgresql(each: _Watched) -> Iterator[tuple[str, str, str]]:
    for event in (*each.events, "TRUNCATE"):
        sides = {"INSERT": ("NEW",), "DELETE": ("OLD",), "UPDATE": ("OLD", "NEW")}.get(event, ())
        rows = " ".join(f"{side} TABLE AS {side.lower()}_rows" for side in sides)
        name = f"{_NAME}_{event.lower()}"
        make = f'CREATE TRIGGER "{name}" AFTER {event} ON "{each.table}"'
        if rows:
            make += f" REFERENCING {rows}"
        yield (
            name,
            each.table,
            f'{make} FOR EACH STATEMENT EXECUTE FUNCTION "{_NAME}_{each.label}"()',
        )


def _function(each: _Watched) -> str:
    """Return SQL for a table's function.

    It runs as its owner, because whoever may write a user need not be allowed to write our log. A
    user's columns are looked for by name, as JSON: a host that renames one in a migration can go on
    writing until that is over. `UPDATE OF` a column would keep the host from changing its type.
    """
    key = f'"{each.column}"'
    changed = f"SELECT {key} FROM old_rows UNION SELECT {key} FROM new_rows"
    if each.only:
        differs = " OR ".join(
            f"to_jsonb(o) ->> '{column}' IS DISTINCT FROM to_jsonb(n) ->> '{column}'"
            for column in each.only
        )
        changed = f"SELECT n.{key} FROM old_rows o JOIN new_rows n USING ({key}) WHERE {differs}"
    insert = f'INSERT INTO "{_table(Change)}" ("transaction", "owner")'
    now = "pg_current_xact_id()::text::bigint"

    def log(rows: str) -> str:
        return f'{insert} SELECT DISTINCT {now}, "owner"::text FROM ({_owners(each, rows)}) w;'

    return f"""
        CREATE OR REPLACE FUNCTION "{_NAME}_{each.label}"() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            CASE TG_OP
            WHEN 'INSERT' THEN {log(f"SELECT {key} FROM new_rows")}
            WHEN 'UPDATE' THEN {log(changed)}
            WHEN 'DELETE' THEN {log(f"SELECT {key} FROM old_rows")}
            ELSE {insert} VALUES ({now}, NULL);
            END CASE;
            RETURN NULL;
        END $$
    """


def _owners(each: _Watched, rows: str) -> str:
    return each.owners.format(rows=f"({rows})")
