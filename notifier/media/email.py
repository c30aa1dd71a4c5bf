"""E-mail: text and HTML, one mail per recipient, over one connection per batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms

from notifier import conf, mail
from notifier.media.base import Destination, NotificationMedium
from notifier.messages import render
from notifier.texts import one_line

if TYPE_CHECKING:
    from notifier.models import Event


@dataclass(frozen=True, slots=True)
class Message:
    """One event as a mail: the same for every recipient."""

    subject: str
    text: str
    html: str


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
        """One address, by Django's validator."""

        email_address = forms.EmailField(max_length=254)

    def canonical_address(self, settings: Mapping[str, Any]) -> str:
        """Return the address in lower case: no mailbox in use differs by case alone."""
        return super().canonical_address(settings).casefold()

    def session(self) -> mail.MailSession:
        """Return a connection that opens at the first mail."""
        return mail.MailSession()

    def render(self, event: Event) -> Message:
        """Fill the three templates with the event."""
        subject = render(self.MEDIA_SLUG, "subject.txt", event, limit=self.SUBJECT_LENGTH)
        return Message(
            subject=conf.NOTIFICATION_SUBJECT_PREFIX() + one_line(subject),
            text=render(self.MEDIA_SLUG, "body.txt", event),
            html=render(self.MEDIA_SLUG, "body.html", event),
        )

    def send_one(
        self, message: Message, destination: Destination, session: mail.MailSession
    ) -> str:
        """Send to one address."""
        return session.send(
            mail.build(
                to=destination.settings[self.MEDIA_SETTINGS_KEY],
                subject=message.subject,
                text=message.text,
                html=message.html,
                message_key=destination.message_key,
            )
        )
