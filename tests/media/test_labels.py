"""How a destination without a label of its own is shown: by its address, unless that is secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from notifier.media.apprise import AppriseNotification
from notifier.media.base import NotificationMedium
from notifier.media.calling import MAX_LABEL, label_for
from notifier.media.email import EmailNotification
from notifier.media.slack import SlackNotification
from notifier.media.sms_as_email import SMSNotification
from notifier.models import DestinationConfig
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


def says(label: object) -> NotificationMedium:
    """Return a medium whose settings are all secret, and that says this of a destination."""

    class Saying(Counting):
        @classmethod
        def get_label(cls, _destination: Any) -> str:
            if isinstance(label, Exception):
                raise label
            return label  # type: ignore[return-value] # as plugins may

    return Saying()


@pytest.mark.parametrize(
    ("medium", "settings", "shown", "lasting"),
    [
        (EmailNotification(), {"email_address": "a@example.org"}, "a@example.org", "Email"),
        (SMSNotification(), {"phone_number": "+4790909090"}, "+4790909090", "SMS"),
        (
            SlackNotification(),
            {"url": "https://hooks.slack.com/services/T1/B2/S3CR3T"},
            *["Slack T1/B2"] * 2,
        ),
        (AppriseNotification(), {"url": "nonsense"}, *["Apprise"] * 2),
        (AppriseNotification(), {}, *["Apprise"] * 2),
        (says("room\x00 1\n"), {"address": URL}, *["room 1"] * 2),
        (says(f"to {URL}"), {"address": URL}, *["Counting"] * 2),
        (says(""), {"address": URL}, *["Counting"] * 2),
        (says(RuntimeError(URL)), {"address": URL}, *["Counting"] * 2),
    ],
)
def test_a_destination_is_shown_by_what_its_medium_says_unless_that_is_secret_or_fails(
    medium: NotificationMedium,
    settings: dict[str, Any],
    shown: str,
    lasting: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    destination = DestinationConfig(media_id=medium.MEDIA_SLUG, settings=settings)
    assert label_for(medium, destination, with_address=True) == shown
    assert label_for(medium, destination, with_address=False) == lasting
    assert "S3CR3T" not in caplog.text


def test_a_label_that_is_too_long_is_cut() -> None:
    destination = DestinationConfig(media_id="counting", settings={"address": URL})
    found = label_for(says("x" * 200), destination, with_address=False)
    assert len(found) == MAX_LABEL == DestinationConfig._meta.get_field("label").max_length
