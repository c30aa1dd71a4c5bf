"""SMS through an e-mail gateway: a short mail to an address made from the number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import phonenumbers
from django import forms
from django.core.exceptions import ValidationError

from notifier import conf, mail
from notifier.media import gsm
from notifier.media.base import Destination, NotificationMedium
from notifier.messages import described, render
from notifier.texts import cut, one_line

if TYPE_CHECKING:
    from notifier.models import Event


LEAST_DESCRIPTION = 20
"""Characters of it that an SMS tells; a link that is too long for that is left out."""


def gateway_address(gateway: str, number: str) -> str:
    """Return where a gateway takes the SMS to a number (E.164).

    `sms@example.com` and `+345656787643` make `sms+345656787643@example.com`.
    """
    local, _, domain = gateway.rpartition("@")
    return f"{local}{number}@{domain}"


def to_e164(number: str) -> str:
    """Return a number as E.164; raise `ValidationError` where no such number can exist."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(
            "Write the number with its country, such as +47 909 09 090."
        ) from error
    if not phonenumbers.is_valid_number(parsed):
        raise ValidationError("No such phone number can exist; check its digits and country.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


class PhoneNumberField(forms.CharField):
    """A phone number in any spelling; cleaned to E.164."""

    def clean(self, value: Any) -> str:
        """Validate and normalise."""
        return to_e164(super().clean(value))


class SMSNotification(NotificationMedium):
    """Sends through the gateway at `SMS_GATEWAY_ADDRESS`, by Django's e-mail settings.

    The template: `notifier/sms/body.txt` (`notifier.messages`), with the event's `link`.
    """

    MEDIA_SLUG = "sms"
    MEDIA_NAME = "SMS"
    MEDIA_SETTINGS_KEY = "phone_number"
    SECRETS = ()
    GONE_AFTER = 2
    REQUIRED_SETTINGS = (conf.SMS_GATEWAY_ADDRESS.name,)

    class Form(forms.Form):
        """One number with its country."""

        phone_number = PhoneNumberField(max_length=40)

    def session(self) -> mail.MailSession:
        """Return a connection that opens at the first mail."""
        return mail.MailSession()

    def render(self, event: Event) -> str:
        """Fill the template with the event, its description cut so that the SMS has few enough parts.

        A link that leaves too little room for the description is left out.
        """
        most = conf.SMS_PARTS()

        def fits(text: str) -> bool:
            return gsm.parts(one_line(text)) <= most

        least = described(event, cut(event.description, LEAST_DESCRIPTION))
        link = event.details_url
        if link and not fits(render(self.MEDIA_SLUG, "body.txt", least, {"link": link})):
            link = ""
        text = render(self.MEDIA_SLUG, "body.txt", event, {"link": link}, fits=fits)
        return gsm.fit(one_line(text), most)

    def send_one(self, message: str, destination: Destination, session: mail.MailSession) -> str:
        """Mail the text to the number's address at the gateway; the subject is left empty."""
        number = destination.settings[self.MEDIA_SETTINGS_KEY]
        return session.send_letter(
            mail.Letter(subject="", text=message),
            to=gateway_address(conf.SMS_GATEWAY_ADDRESS(), number),
            message_key=destination.message_key,
        )
