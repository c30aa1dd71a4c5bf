"""`notifier sendtest` with a real worker, Redis and mail server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notifier.models import Delivery
from tests.acceptance.stack import Stack, eventually

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def carl(transactional_db: None, django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("carl", email="carl@example.org")


def test_a_test_goes_through_the_queue_and_prints_each_stage(stack: Stack, carl: User) -> None:
    stack.worker("media", "media.email")
    stack.setup()
    command = stack.run("sendtest", "notifier", "sendtest", str(carl.destinations.get().pk))
    eventually(lambda: not command.running, "the end of the command")
    [mail] = stack.wait_for_mails(1)
    assert (mail["to"], mail["subject"]) == (
        ["carl@example.org"],
        "[Notifier] This is a test, asked for by an operator. Nothing has happened.",
    )
    stages = [line.split("  ")[1] for line in command.log().splitlines() if "  " in line]
    assert stages[:3] == ["accepted", "queued", "claimed"]
    assert stages[3].startswith("sent: ")
    assert Delivery.objects.get().kind == "test"
