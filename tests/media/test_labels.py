"""How a destination without a label of its own is shown: by its address, unless that is secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from notifier.media.base import NotificationMedium
from notifier.media.email import EmailNotification
from notifier.media.sms_as_email import SMSNotification
from tests.plugins import Counting, Half, Posting

URL = "https://hooks.example/S3CR3T"


class Hidden(NotificationMedium):
    """Labels as the base class does."""

    MEDIA_NAME = "Hidden"
    MEDIA_SETTINGS_KEY = "url"
    SECRETS = ("url",)
    get_host = Posting.get_host


@pytest.mark.parametrize(
    ("medium", "settings", "label"),
    [
        (EmailNotification(), {"email_address": "anna@example.org"}, "anna@example.org"),
        (SMSNotification(), {"phone_number": "+4790909090"}, "+4790909090"),
        (Half(), {"address": "ok-1", "token": "S3CR3T"}, "ok-1"),
        (Hidden(), {"url": URL}, "Hidden hooks.example"),
        (Counting(), {"address": "S3CR3T"}, "Counting"),
    ],
)
def test_a_label_has_no_secret(
    medium: NotificationMedium, settings: dict[str, Any], label: str
) -> None:
    assert medium.get_label(SimpleNamespace(settings=settings)) == label
