"""The conformance kit, inherited by every bundled medium."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.conf import settings as site

from notifier.errors import PermanentError, Reason
from notifier.media.apprise import AppriseNotification
from notifier.media.email import EmailNotification
from notifier.media.msteams import MSTeamsNotification
from notifier.media.slack import SlackNotification
from notifier.media.sms_as_email import SMSNotification, gateway_address
from notifier.media.webhook import WebhookNotification, new_secret
from notifier.testing.conformance import SECRET
from notifier.testing.http import HTTPMediumConformance
from notifier.testing.mail import MailMediumConformance


class TestEmail(MailMediumConformance):
    medium = EmailNotification
    same_address = (({"email_address": "Anna@Example.ORG"}, {"email_address": "anna@example.org"}),)

    def settings_of(self, number: int) -> dict[str, Any]:
        return {"email_address": f"s3cr3t{number}@example.org"}

    def address_of(self, settings: dict[str, Any]) -> str:
        return str(settings["email_address"])


class TestSMS(MailMediumConformance):
    medium = SMSNotification
    same_address = (({"phone_number": "+4790909090"}, {"phone_number": "+47 909 09 090"}),)
    bad_settings = (({"phone_number": "90909090"}, "phone_number"),)

    def settings_of(self, number: int) -> dict[str, Any]:
        return {"phone_number": f"+4790909{number:03}"}

    def address_of(self, settings: dict[str, Any]) -> str:
        return gateway_address(site.SMS_GATEWAY_ADDRESS, settings["phone_number"])


class TestApprise(HTTPMediumConformance):
    medium = AppriseNotification
    valid_url = f"json://hooks.example.org/{SECRET}{{number}}"
    without_answer = frozenset({Reason.DEFERRED})
    # it says only whether it went well, and follows redirects: see test_apprise.py
    test_each_status_is_sent_or_tried_again_or_given_up = None  # type: ignore[assignment]
    test_how_long_to_wait_is_heard_as_seconds_and_as_a_date = None  # type: ignore[assignment]
    test_a_redirect_is_not_followed = None  # type: ignore[assignment]
    test_a_server_without_tls_gets_nothing_of_what_is_for_https = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def _services(self, settings: Any) -> None:
        settings.NOTIFIER_APPRISE_SERVICES = ["json"]

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": url.replace("http://", "json://").replace("https://", "jsons://")}


class TestWebhook(HTTPMediumConformance):
    medium = WebhookNotification
    bad_settings = (({"url": "https://hooks.example.org/", "secret": "short"}, "secret"),)
    varying_headers = frozenset({"webhook-timestamp", "webhook-signature"})
    secret = new_secret()

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": url, "secret": self.secret}


class TestSlack(HTTPMediumConformance):
    medium = SlackNotification
    valid_url = "https://hooks.slack.com/services/T1/B1/S3CR3T{number}"

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": url}


class TestMSTeams(HTTPMediumConformance):
    medium = MSTeamsNotification
    statuses: ClassVar = {404: PermanentError(Reason.GONE)}
    valid_url = "https://prod-1.westeurope.logic.azure.com/workflows/{number}/triggers/manual/paths/invoke?sig=S3CR3T"

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": url}
