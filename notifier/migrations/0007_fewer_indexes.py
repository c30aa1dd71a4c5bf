"""Fewer indexes of deliveries, while deliveries are written.

On PostgreSQL nothing here waits for a lock that would keep writers out: Django's own operations
would drop and add the foreign keys of the largest table, under one lock and for as long as it
takes to check every row. Each step may be repeated, as after one that was broken off.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from notifier.migrations._concurrently import AddIndex, RemoveIndex, is_postgresql

_NO_LONGER_INDEXED = ("bundle", "event", "incident", "user")
_NAMED = {"delivery_of_bundle", "delivery_of_incident"}
"""Indexes of one such column that stay."""


def drop_indexes_of_keys(apps: Any, schema_editor: Any) -> None:
    """Drop what `db_index` made for the foreign keys."""
    delivery = apps.get_model("notifier", "Delivery")
    columns = [[delivery._meta.get_field(name).column] for name in _NO_LONGER_INDEXED]
    with schema_editor.connection.cursor() as cursor:
        found = schema_editor.connection.introspection.get_constraints(
            cursor, delivery._meta.db_table
        )
    how = "CONCURRENTLY " if is_postgresql(schema_editor) else ""
    for name, each in found.items():
        plain = each["index"] and not each["unique"]
        if plain and each["columns"] in columns and name not in _NAMED:
            schema_editor.execute(f"DROP INDEX {how}IF EXISTS {schema_editor.quote_name(name)}")


def make_indexes_of_keys(apps: Any, schema_editor: Any) -> None:
    """Make them again."""
    drop_indexes_of_keys(apps, schema_editor)
    delivery = apps.get_model("notifier", "Delivery")
    for name in _NO_LONGER_INDEXED:
        field = delivery._meta.get_field(name)
        for statement in schema_editor._field_indexes_sql(delivery, field):
            schema_editor.execute(statement)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifier", "0006_change"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        RemoveIndex(model_name="delivery", name="delivery_unfinished_before"),
        migrations.SeparateDatabaseAndState(
            # before the state changes: backwards, the fields are those that have an index
            database_operations=[
                migrations.RunPython(drop_indexes_of_keys, make_indexes_of_keys, atomic=False)
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="delivery",
                    name="bundle",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="bundled",
                        to="notifier.delivery",
                    ),
                ),
                migrations.AlterField(
                    model_name="delivery",
                    name="event",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="notifier.event",
                    ),
                ),
                migrations.AlterField(
                    model_name="delivery",
                    name="incident",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="notifier.incident",
                    ),
                ),
                migrations.AlterField(
                    model_name="delivery",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        AddIndex(
            model_name="delivery",
            index=models.Index(
                models.F("destination"),
                models.F("incident"),
                models.F("sequence"),
                condition=models.Q(
                    ("incident__isnull", False), ("state__in", ("pending", "sending"))
                ),
                name="delivery_unfinished_before",
            ),
        ),
        AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("incident__isnull", False)),
                fields=["incident"],
                name="delivery_of_incident",
            ),
        ),
        AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("bundle__isnull", False)),
                fields=["bundle"],
                name="delivery_of_bundle",
            ),
        ),
    ]
