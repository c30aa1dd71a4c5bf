"""What Argus's API keeps of an incident, and what a source's heartbeats are held against.

Made while events are written: on PostgreSQL no index and no check of old rows keeps writers out.
"""

from __future__ import annotations

from typing import Any

import django.core.validators
from django.db import migrations, models, transaction

from notifier.migrations._concurrently import AddIndex, is_postgresql


class AddField(migrations.AddField):
    """`AddField` as a whole: SQLite makes the table anew."""

    atomic = True


class RemoveConstraint(migrations.RemoveConstraint):
    """`RemoveConstraint`, likewise."""

    atomic = True


class AddConstraint(migrations.AddConstraint):
    """`AddConstraint`, which looks at the rows that are there after it holds for new ones."""

    def database_forwards(
        self, app_label: Any, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if not is_postgresql(schema_editor):
            with transaction.atomic(schema_editor.connection.alias):
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table = schema_editor.quote_name(model._meta.db_table)
        name = schema_editor.quote_name(self.constraint.name)
        # what was broken off leaves one that may not be valid
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        added = self.constraint.create_sql(model, schema_editor)
        schema_editor.execute(f"{added} NOT VALID", params=None)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifier", "0008_intake_formats"),
    ]

    operations = [
        AddField(
            model_name="incident",
            name="ack_expires",
            field=models.DateTimeField(
                blank=True,
                help_text="When it counts as acknowledged no more; empty: never.",
                null=True,
            ),
        ),
        AddField(
            model_name="incident",
            name="ticket_url",
            field=models.URLField(blank=True, db_default="", default="", max_length=2048),
        ),
        AddField(
            model_name="source",
            name="base_url",
            field=models.URLField(
                blank=True,
                db_default="",
                default="",
                help_text="What completes the addresses of details that come by Argus's API without a host.",
                max_length=2048,
            ),
        ),
        AddField(
            model_name="source",
            name="heartbeat_interval",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Seconds within which it gives a sign of life; empty: none is expected.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(10),
                    django.core.validators.MaxValueValidator(2678400),
                ],
            ),
        ),
        AddField(
            model_name="source",
            name="heartbeat_since",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Since when signs of life are waited for without a break of our own.",
                null=True,
            ),
        ),
        AddField(
            model_name="source",
            name="last_heartbeat",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddField(
            model_name="source",
            name="silent_since",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When its silence was told.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="open",
            field=models.BooleanField(
                blank=True,
                help_text="Whether this event left its incident open; empty: it is stateless.",
                null=True,
            ),
        ),
        AddIndex(
            model_name="incident",
            index=models.Index(
                fields=["source", "-start_time", "-id"], name="incident_of_source_newest"
            ),
        ),
        AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("ack_expires__isnull", False)),
                fields=["ack_expires"],
                name="incident_ack_expires",
            ),
        ),
        AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("acked", None),
                        ("incident", None),
                        ("open", None),
                        ("sequence", None),
                        ("type", "LES"),
                    ),
                    models.Q(
                        ("acked__isnull", False),
                        ("incident__isnull", False),
                        ("sequence__isnull", False),
                        models.Q(
                            ("open", None),
                            models.Q(("type", "LES"), _negated=True),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="event_incident_and_state",
            ),
        ),
        RemoveConstraint(
            model_name="event",
            name="event_incident_with_sequence",
        ),
    ]
