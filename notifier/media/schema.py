"""JSON Schema of a destination's settings: derived from the medium's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

if TYPE_CHECKING:
    from notifier.media.base import NotificationMedium

_TYPES: tuple[tuple[type[forms.Field], dict[str, Any]], ...] = (
    # a field is the first that it is an instance of
    (forms.MultipleChoiceField, {"type": "array", "items": {"type": "string"}}),
    (forms.FloatField, {"type": "number"}),
    (forms.DecimalField, {"type": "number"}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.NullBooleanField, {"type": ["boolean", "null"]}),
    (forms.BooleanField, {"type": "boolean"}),
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.JSONField, {}),
    (forms.Field, {"type": "string"}),
)
_BOUNDS = {
    "max_length": "maxLength",
    "min_length": "minLength",
    "max_value": "maximum",
    "min_value": "minimum",
}


class OfForm:
    """A medium's schema where it declares none."""

    def __get__(self, _instance: object, medium: type[NotificationMedium]) -> dict[str, Any]:
        """Return it, made anew."""
        return derive(medium.MEDIA_NAME, medium.Form)


def derive(name: str, form: type[forms.Form]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a form; `name` is its medium's, for title and description."""
    fields = form.base_fields
    return {
        "title": f"{name} settings",
        "description": f"Settings of a {name} destination.",
        "type": "object",
        "required": [key for key, field in fields.items() if field.required],
        "properties": {key: _property(key, field) for key, field in fields.items()},
        "additionalProperties": False,
    }


def _property(key: str, field: forms.Field) -> dict[str, Any]:
    found = next(dict(schema) for kind, schema in _TYPES if isinstance(field, kind))
    found["title"] = str(field.label or key.replace("_", " ").capitalize())
    if field.help_text:
        found["description"] = str(field.help_text)
    if isinstance(field, forms.ChoiceField):
        _narrow(found, field)
    for attribute, keyword in _BOUNDS.items():
        if isinstance(bound := getattr(field, attribute, None), int | float):
            found[keyword] = bound
    if isinstance(field.initial, str | int | float):
        found["default"] = field.initial
    return found


def _narrow(schema: dict[str, Any], field: forms.ChoiceField) -> None:
    """Name what may be chosen, wherever it is grouped."""
    values: list[Any] = []
    choices: Any = field.choices
    for value, label in choices:
        grouped = isinstance(label, list | tuple)
        values += [each for each, _ in label] if grouped else [value]
    schema.get("items", schema)["enum"] = values
