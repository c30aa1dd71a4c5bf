"""Indexes of large tables, exchanged while others write."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def is_postgresql(schema_editor: Any) -> bool:
    return schema_editor.connection.vendor == "postgresql"


class RemoveIndex(migrations.RemoveIndex):
    """`RemoveIndex`, which lets others write meanwhile."""

    atomic = False

    def database_forwards(
        self, app_label: Any, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        _remove(schema_editor, model, index)

    def database_backwards(
        self, app_label: Any, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        index = to_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        _add(schema_editor, model, index)


class AddIndex(migrations.AddIndex):
    """`AddIndex`, which lets others write meanwhile."""

    atomic = False

    def database_forwards(
        self, app_label: Any, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        _add(schema_editor, to_state.apps.get_model(app_label, self.model_name), self.index)

    def database_backwards(
        self, app_label: Any, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        _remove(schema_editor, from_state.apps.get_model(app_label, self.model_name), self.index)


def _remove(schema_editor: Any, model: Any, index: models.Index) -> None:
    if is_postgresql(schema_editor):
        schema_editor.remove_index(model, index, concurrently=True)  # IF EXISTS, says Django
    else:
        schema_editor.remove_index(model, index)


def _add(schema_editor: Any, model: Any, index: models.Index) -> None:
    if is_postgresql(schema_editor):
        # what was broken off leaves an index that is not valid
        schema_editor.remove_index(model, index, concurrently=True)
        schema_editor.add_index(model, index, concurrently=True)
    else:
        schema_editor.add_index(model, index)
