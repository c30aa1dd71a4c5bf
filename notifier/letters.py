"""Letters: what a mail says, the same for every recipient."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives

from notifier import mailbox
from notifier.errors import PermanentError, Reason
from notifier.texts import cut, one_line, plain

_AUTOMATIC = {
    "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation responder answers it
    # Exchange is asked this way; not for bounces (NDR), which somebody wants
    "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
}
MOST_SUBJECT = 200
"""Characters; a list of mails shows fewer."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, with the headers that every notification has.

    Mails with the same `thread_key` refer to the same message, which nobody ever sends: so they are
    one conversation, whichever of them a recipient gets.
    """

    subject: str
    text: str
    html: str = ""
    thread_key: str = ""
    unsubscribe_url: str = ""

    def to(self, address: str, message_key: str) -> EmailMultiAlternatives:
        """Return the mail to one recipient.

        Its Message-ID is the same in every try of a delivery, so that a receiver can drop a repeat.
        Raises `PermanentError` where the address can't be one.
        """
        domain = domain_of(settings.DEFAULT_FROM_EMAIL)
        headers = {"Message-ID": f"<{message_key}@{domain}>", **_AUTOMATIC}
        if self.thread_key:
            headers["References"] = headers["In-Reply-To"] = f"<{self.thread_key}@{domain}>"
        if self.unsubscribe_url:
            headers["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
        safe = self.safe()
        message = EmailMultiAlternatives(
            subject=safe.subject, body=safe.text, to=[recipient(address)], headers=headers
        )
        if safe.html:
            message.attach_alternative(safe.html, "text/html")
        return message

    def safe(self) -> Letter:
        """Return the same without control characters, its subject on one line."""
        # what looks encoded (RFC 2047) would be decoded, lines and all
        subject = one_line(self.subject).replace("=?", "= ?")
        return replace(
            self,
            subject=cut(subject, MOST_SUBJECT),
            text=plain(self.text),
            html=plain(self.html),
        )


def recipient(address: str) -> str:
    """Return an address as it goes over the wire; raise `PermanentError` where it can't be one."""
    try:
        return mailbox.to_ascii(address)
    except ValidationError as error:
        raise PermanentError(Reason.REJECTED, str(error.message)) from None


@functools.lru_cache(maxsize=8)
def domain_of(sender: str) -> str:
    """Return the domain that Message-IDs are in, from `DEFAULT_FROM_EMAIL`."""
    return mailbox.to_ascii(parseaddr(sender)[1]).rpartition("@")[2] or "localhost"
