"""The API with media as Argus's plugins may write them."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from pytest_django.fixtures import Settings

from notifier.models import DestinationConfig
from tests.api.conftest import Ask
from tests.plugins import Counting


class LeavesItToUs(Counting):
    """Answers None to a change, as Argus lets a plugin do."""

    MEDIA_SLUG = "leaves"
    SECRETS = ()

    @staticmethod
    def update(*_: Any) -> None:
        """Change nothing."""


class Translated(Counting):
    """Has titles that are translated as they are shown."""

    MEDIA_SLUG = "translated"
    MEDIA_JSON_SCHEMA = {  # noqa: RUF012 - as plugins write it
        "type": "object",
        "required": ["address"],
        "properties": {"address": {"type": "string", "title": gettext_lazy("Address")}},
    }


@pytest.fixture(autouse=True)
def _media(settings: Settings) -> None:
    here = [f"{__name__}.{each.__name__}" for each in (LeavesItToUs, Translated)]
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, *here]


def test_a_change_that_a_medium_leaves_to_us_is_made(ask: Ask) -> None:
    body = {"media": "leaves", "settings": {"address": "ok-1"}}
    path = f"/destinations/{ask('POST', '/destinations', body).json()['id']}"
    change = {"label": "new", "settings": {"address": "ok-2"}}
    answer = ask("PATCH", path, change, If_Match="*").json()
    assert (answer["label"], answer["settings"]) == ("new", {"address": "ok-2"})
    assert DestinationConfig.objects.get(pk=answer["id"]).settings == {"address": "ok-2"}


def test_the_titles_of_settings_may_be_translated(ask: Ask) -> None:
    schema = ask("GET", "/media/translated").json()["settings_schema"]
    address = schema["properties"]["address"]
    assert address == {"type": "string", "title": "Address", "writeOnly": True}
    assert "writeOnly" not in str(Translated.MEDIA_JSON_SCHEMA)
