"""The JSON Schema of a destination's settings."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from jsonschema import Draft202012Validator

from notifier.media.base import NotificationMedium
from notifier.media.email import EmailNotification
from notifier.media.schema import derive


class Everything(forms.Form):
    url = forms.URLField(
        label="Where to", help_text="An https address.", max_length=200, assume_scheme="https"
    )
    mail = forms.EmailField(required=False)
    port = forms.IntegerField(min_value=1, max_value=65_535, initial=443)
    share = forms.FloatField(required=False)
    loud = forms.BooleanField(required=False)
    kind = forms.ChoiceField(choices=[("a", "A"), ("More", [("b", "B"), ("c", "C")])])
    days = forms.MultipleChoiceField(choices=[("mo", "Monday"), ("tu", "Tuesday")], required=False)
    extra = forms.JSONField(required=False)


def test_every_kind_of_field_is_described() -> None:
    schema = derive("Siren", Everything)
    Draft202012Validator.check_schema(schema)
    assert schema == {
        "title": "Siren settings",
        "description": "Settings of a Siren destination.",
        "type": "object",
        "required": ["url", "port", "kind"],
        "properties": {
            "url": {
                "type": "string",
                "format": "uri",
                "title": "Where to",
                "description": "An https address.",
                "maxLength": 200,
            },
            "mail": {"type": "string", "format": "email", "title": "Mail", "maxLength": 320},
            "port": {
                "type": "integer",
                "title": "Port",
                "minimum": 1,
                "maximum": 65_535,
                "default": 443,
            },
            "share": {"type": "number", "title": "Share"},
            "loud": {"type": "boolean", "title": "Loud"},
            "kind": {"type": "string", "title": "Kind", "enum": ["a", "b", "c"]},
            "days": {
                "type": "array",
                "items": {"type": "string", "enum": ["mo", "tu"]},
                "title": "Days",
            },
            "extra": {"title": "Extra"},
        },
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({"email_address": "bob@example.org"}, True),
        ({}, False),
        ({"email_address": 5}, False),
        ({"email_address": "bob@example.org", "more": 1}, False),
    ],
)
def test_a_medium_that_declares_none_has_that_of_its_form(
    settings: dict[str, Any], fits: bool
) -> None:
    assert Draft202012Validator(EmailNotification.MEDIA_JSON_SCHEMA).is_valid(settings) == fits


def test_a_declared_one_is_used_as_it_is() -> None:
    declared = {"type": "object", "title": "mine"}

    class Mine(EmailNotification):
        MEDIA_JSON_SCHEMA = declared

    assert Mine.MEDIA_JSON_SCHEMA is declared


def test_where_one_setting_is_required_it_holds_the_address() -> None:
    class Siren(NotificationMedium):
        MEDIA_SLUG = "siren"
        MEDIA_NAME = "Siren"

        class Form(forms.Form):
            number = forms.CharField()
            note = forms.CharField(required=False)

    assert Siren.MEDIA_SETTINGS_KEY == "number"
    Siren.Form = Everything  # type: ignore[misc, assignment]
    with pytest.raises(AttributeError, match=r"Siren.MEDIA_SETTINGS_KEY is not set"):
        _ = Siren.MEDIA_SETTINGS_KEY
