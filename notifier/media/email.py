"""E-mail: text and HTML, one mail per recipient, over one connection per batch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from notifier import conf, mail, mailbox
from notifier.media.base import Destination, NotificationMedium
from notifier.messages import render
from notifier.texts import one_line

if TYPE_CHECKING:
    from notifier.models import Event, Incident


class EmailNotification(NotificationMedium):
    """Sends by Django's own e-mail settings.

    The templates: `notifier/email/subject.txt`, `body.txt`, `body.html` (`notifier.messages`).
    """

    MEDIA_SLUG = "email"
    MEDIA_NAME = "Email"
    MEDIA_SETTINGS_KEY = "email_address"
    SUBJECT_LENGTH = 140
    """Characters; beyond them the description is cut."""
    SECRETS = ()
    GONE_AFTER = 2  # a mail server that is being mended may say so once

    class Form(forms.Form):
        """One address, by Django's validator and our own."""

        email_address = forms.EmailField(max_length=254, validators=[mailbox.check])

    def canonical_address(self, settings: Mapping[str, Any]) -> str:
        """Return the address in lower case: no mailbox in use differs by case alone.

        Both spellings of a domain, with A-labels and with its own letters, are the same.
        """
        address = super().canonical_address(settings)
        with suppress(ValidationError):  # of a row that was saved before such were refused
            address = mailbox.to_ascii(address)
        return address.casefold()

    def session(self) -> mail.MailSession:
        """Return a connection that opens at the first mail."""
        return mail.MailSession()

    def render(self, event: Event) -> mail.Letter:
        """Fill the three templates with the event."""
        incident = None if event.type == "LES" else event.incident
        extra = {"destinations_url": _destinations_url()}
        subject = conf.NOTIFICATION_SUBJECT_PREFIX() + one_line(
            render(self.MEDIA_SLUG, "subject.txt", event, limit=self.SUBJECT_LENGTH)
        )
        return mail.Letter(
            subject=f"Re: {subject}" if incident and event.type != "STA" else subject,
            text=render(self.MEDIA_SLUG, "body.txt", event, extra),
            html=render(self.MEDIA_SLUG, "body.html", event, extra),
            thread_key=_thread_key(incident) if incident else "",
            unsubscribe_url=extra["destinations_url"],
        )

    def preview(self, message: mail.Letter) -> dict[str, str]:
        """Return what a person reads of it."""
        return {"subject": message.subject, "text": message.text, "html": message.html}

    def send_one(
        self, message: mail.Letter, destination: Destination, session: mail.MailSession
    ) -> str:
        """Send to one address."""
        return session.send_letter(
            message,
            to=destination.settings[self.MEDIA_SETTINGS_KEY],
            message_key=destination.message_key,
        )


def _thread_key(incident: Incident) -> str:
    """Return what all mails of an incident refer to; with its start, as ids begin anew in a new database."""
    return f"incident.{incident.pk}.{incident.start_time.astimezone(UTC):%Y%m%d%H%M%S}"


def _destinations_url() -> str:
    """Return the page where a user changes where they are told; empty where the site has no URL."""
    site = conf.SITE_URL().rstrip("/")
    return f"{site}/destinations/" if site else ""
