"""What is said of a plugin that does not keep the contract."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ImproperlyConfigured

from notifier.media.base import NotificationMedium
from notifier.media.contract import problems
from notifier.media.email import EmailNotification
from notifier.media.registry import load_plugin
from notifier.media.sms_as_email import SMSNotification
from tests import argus_plugins


class Siren(NotificationMedium):
    """As it should be."""

    MEDIA_SLUG = "siren"
    MEDIA_NAME = "Siren"
    MEDIA_SETTINGS_KEY = "number"

    class Form(forms.Form):
        number = forms.CharField()
        note = forms.CharField(required=False)

    def render(self, event: Any) -> str:
        return str(event)

    def send_one(self, _message: Any, _destination: Any, _session: Any) -> str:
        return "heard"


class Dumb(NotificationMedium):
    """Can't send."""

    MEDIA_NAME = "Dumb"
    Form = Siren.Form  # type: ignore[assignment]


class Keyless(NotificationMedium):
    """Does not say which of its settings is the address."""

    MEDIA_SLUG = "keyless"
    MEDIA_NAME = "Keyless"

    class Form(forms.Form):
        number = forms.CharField()
        room = forms.CharField()

    def send(self, _event: Any, _destinations: Any, **_: Any) -> bool:  # type: ignore[override]
        return True


class Slugless(Siren):
    MEDIA_SLUG = None  # type: ignore[assignment]


class Dotted(Siren):
    MEDIA_SLUG = "the.siren"


def siren(**attributes: Any) -> type[NotificationMedium]:
    """Return the plugin with other attributes."""
    return type("Siren", (Siren,), attributes)


def properties(*names: str, required: tuple[str, ...] = ("number",)) -> dict[str, Any]:
    return {"type": "object", "properties": {each: {} for each in names}, "required": required}


@pytest.mark.parametrize(
    "plugin",
    [
        Siren,
        EmailNotification,
        SMSNotification,
        argus_plugins.Oldest,
        argus_plugins.Middle,
        argus_plugins.Newest,
        siren(MEDIA_JSON_SCHEMA={**properties("number", "note"), "required": ["number"]}),
    ],
)
def test_nothing_is_said_of_a_good_one(plugin: type[NotificationMedium]) -> None:
    assert list(problems(plugin)) == []


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (siren(MEDIA_NAME=""), ["MEDIA_NAME is not set; write how people call the medium."]),
        (
            Dumb,
            [
                "render() is missing; write it, or a send() of its own.",
                "send_one() is missing; write it, or a send() of its own.",
            ],
        ),
        (
            siren(Form=None),
            ["Form must be a Django form class: it validates a destination's settings."],
        ),
        (
            siren(Form=forms.Form),
            [
                (
                    "MEDIA_SETTINGS_KEY must be the setting that holds the address; it is 'number', "
                    "which is none. The settings are: none."
                )
            ],
        ),
        (
            siren(MEDIA_SETTINGS_KEY="phone"),
            [
                (
                    "MEDIA_SETTINGS_KEY must be the setting that holds the address; it is 'phone', "
                    "which is none. The settings are: note, number."
                )
            ],
        ),
        (
            siren(MEDIA_JSON_SCHEMA={"type": "nonsense"}),
            [
                (
                    "MEDIA_JSON_SCHEMA is no JSON Schema: 'nonsense' is not valid under any of the "
                    "given schemas."
                )
            ],
        ),
        (
            siren(MEDIA_JSON_SCHEMA={**properties("number", "webhook"), "required": ["number"]}),
            [
                "MEDIA_JSON_SCHEMA and Form must have the same settings; one lacks note, webhook.",
            ],
        ),
        (
            siren(MEDIA_JSON_SCHEMA={**properties("number", "note"), "required": ["note"]}),
            ["MEDIA_JSON_SCHEMA and Form must require the same; one alone does note, number."],
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_attributes_name(
    plugin: type[NotificationMedium], said: list[str]
) -> None:
    assert list(problems(plugin)) == said


@pytest.mark.parametrize(
    ("name", "given"), [("Slugless", "there is none"), ("Dotted", "'the.siren' is none")]
)
def test_a_plugin_without_a_slug_is_refused(name: str, given: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        load_plugin(f"{__name__}.{name}")
    assert str(refused.value) == (
        f"MEDIA_PLUGINS: '{__name__}.{name}': MEDIA_SLUG must hold lower-case letters, digits, "
        f"hyphens and underscores, 1 to 50 of them; {given}."
    )
