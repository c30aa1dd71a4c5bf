"""A plugin that leaks memory: it loses its process now and then, and nobody their notification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifier.models import Attempt, Delivery, DestinationConfig
from tests.acceptance.stack import Stack, eventually, post
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

PLUGINS = ["notifier.media.email.EmailNotification", "tests.plugins.Leaking"]
TOLD = 8
"""Each of them leaks 60 MB, so a process that may grow by 300 MB never tells them all."""


def test_a_leaking_plugin_ends_as_a_memory_error_and_everybody_is_told(
    stack: Stack, token: str, anna: User, settings: Settings
) -> None:
    settings.MEDIA_PLUGINS = PLUGINS
    destinations = [
        DestinationConfig.objects.create(
            user=anna, media_id="leaking", settings={"address": f"ok-{number}"}
        )
        for number in range(TOLD)
    ]
    add_profile(anna, {"max_level": 5}, *destinations)
    stack.env |= {"MEDIA_PLUGINS": ",".join(PLUGINS), "NOTIFIER_CHILD_MEMORY_MB": "300"}
    stack.worker("events", "events", "maintenance", "media.email")
    leaking = stack.worker("leaking", "media.leaking")
    stack.beat()
    url = stack.web()
    stack.setup()

    post(url, token, {"description": "all is well", "level": 5})

    rows = Delivery.objects.filter(medium="leaking")
    eventually(lambda: rows.filter(state="sent").count() == TOLD, "the end of all", 60)
    failures = Attempt.objects.filter(delivery__medium="leaking", outcome="temporary")
    assert set(failures.values_list("reason", flat=True)) == {"bug"}
    assert "MemoryError" in leaking.logs()
    assert leaking.container.status == "running"
