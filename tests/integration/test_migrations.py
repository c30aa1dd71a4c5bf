"""Migrations of what is large, and written all the time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext

from notifier.models import Delivery

POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture
def before(transactional_db: None) -> Iterator[None]:
    """Stand where deliveries still had all indexes; end at the newest migration, whatever comes."""
    call_command("migrate", "notifier", "0006", verbosity=0)
    yield
    call_command("migrate", "notifier", verbosity=0)


def indexes() -> set[tuple[str, ...]]:
    """Return the columns of each plain index of deliveries, and the names of ours."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Delivery._meta.db_table)
    return {
        (name if name.startswith("delivery_") else "", *each["columns"])
        for name, each in found.items()
        if each["index"] and not each["unique"]
    }


def foreign_keys() -> set[str]:
    """Return the names of the constraints that are foreign keys."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Delivery._meta.db_table)
    return {name for name, each in found.items() if each["foreign_key"]}


def test_indexes_of_deliveries_are_exchanged_while_deliveries_are_written(before: None) -> None:
    keys, had = foreign_keys(), indexes()
    assert {("", "event_id"), ("", "user_id"), ("", "incident_id"), ("", "bundle_id")} <= had

    with CaptureQueriesContext(connection) as queries:
        call_command("migrate", "notifier", "0007", verbosity=0)

    has = indexes()
    assert not {("", "event_id"), ("", "user_id"), ("", "incident_id"), ("", "bundle_id")} & has
    assert {("delivery_of_incident", "incident_id"), ("delivery_of_bundle", "bundle_id")} <= has
    assert foreign_keys() == keys
    if POSTGRESQL:
        told = [each["sql"] for each in queries if "notifier_delivery" in each["sql"]]
        changing = [sql for sql in told if re.match(r"(ALTER|CREATE|DROP)", sql)]
        assert changing
        assert not [sql for sql in changing if "CONCURRENTLY" not in sql]

    call_command("migrate", "notifier", "0006", verbosity=0)
    assert indexes() == had


@pytest.mark.parametrize("step", ["drop_indexes_of_keys", "make_indexes_of_keys"])
def test_a_step_that_was_broken_off_can_be_repeated(before: None, step: str) -> None:
    # its name is no identifier
    module = import_module("notifier.migrations.0007_fewer_indexes")
    apps = MigrationExecutor(connection).loader.project_state(("notifier", "0006_change")).apps
    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            getattr(module, step)(apps, editor)

    call_command("migrate", "notifier", "0007", verbosity=0)

    assert ("delivery_of_bundle", "bundle_id") in indexes()
    assert ("", "bundle_id") not in indexes()


def test_stateless_incidents_are_allowed_while_events_are_written(before: None) -> None:
    call_command("migrate", "notifier", "0007", verbosity=0)
    with CaptureQueriesContext(connection) as queries:
        call_command("migrate", "notifier", "0009", verbosity=0)
    if POSTGRESQL:
        told = [each["sql"] for each in queries if "event_incident_and_state" in each["sql"]]
        adding = next(place for place, sql in enumerate(told) if "ADD CONSTRAINT" in sql)
        assert told[adding].endswith("NOT VALID")  # else all old rows are looked at under a lock
        assert "VALIDATE CONSTRAINT" in told[adding + 1]
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "notifier_event")
    assert found["event_incident_and_state"]["check"]
    assert "event_incident_with_sequence" not in found

    call_command("migrate", "notifier", "0007", verbosity=0)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "notifier_event")
    assert found["event_incident_with_sequence"]["check"]


def test_a_check_that_was_not_finished_is_made_anew(before: None) -> None:
    call_command("migrate", "notifier", "0007", verbosity=0)
    module = import_module("notifier.migrations.0009_heartbeats_and_argus")
    loader = MigrationExecutor(connection).loader
    old = loader.project_state(("notifier", "0007_fewer_indexes"))
    new = loader.project_state(("notifier", "0009_heartbeats_and_argus"))
    [operation] = [
        each for each in module.Migration.operations if isinstance(each, module.AddConstraint)
    ]
    if POSTGRESQL:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("notifier", editor, old, new)
    call_command("migrate", "notifier", "0009", verbosity=0)


def test_the_index_of_dead_letters_is_exchanged_likewise(before: None) -> None:
    call_command("migrate", "notifier", "0010", verbosity=0)
    had = indexes()
    with CaptureQueriesContext(connection) as queries:
        call_command("migrate", "notifier", "0011", verbosity=0)
    assert indexes() - had == {("delivery_failed", "finished_at")}
    assert had - indexes() == {("delivery_dead", "medium", "finished_at")}
    if POSTGRESQL:
        changing = [each["sql"] for each in queries if re.match(r"(CREATE|DROP) ", each["sql"])]
        assert len(changing) == 5
        assert not [sql for sql in changing if "CONCURRENTLY" not in sql]
    call_command("migrate", "notifier", "0010", verbosity=0)
    assert indexes() == had
