"""Letters: what a mail says, the same for every recipient, and how it is written once for them all."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Self

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
_LONGEST_UNFOLDED = 72
"""Characters of a recipient: `To: ` and no more than these are one line, however it is folded."""
_PLAIN_KEY = re.compile(r"[A-Za-z0-9.-]+")
_GAPS = re.compile(
    rb"(.*?\r\nTo: )[^\r\n]+(\r\n.*?\r\nMessage-ID:\s+<)[^@\r\n]+(@[^\r\n]+>(?:\r\n.*)?)", re.DOTALL
)


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
        domain = _domain(settings.DEFAULT_FROM_EMAIL)
        headers = {"Message-ID": f"<{message_key}@{domain}>", **_AUTOMATIC}
        if self.thread_key:
            headers["References"] = headers["In-Reply-To"] = f"<{self.thread_key}@{domain}>"
        if self.unsubscribe_url:
            headers["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
        message = EmailMultiAlternatives(
            subject=cut(one_line(self.subject), MOST_SUBJECT),
            body=plain(self.text),
            to=[recipient(address)],
            headers=headers,
        )
        if self.html:
            message.attach_alternative(plain(self.html), "text/html")
        return message


@dataclass(frozen=True, slots=True)
class Form:
    """A letter as Django wrote it for one recipient, with gaps where it differs for another.

    Between two recipients of a letter these differ: the address, and the first part of the
    Message-ID. How a header is folded depends on neither, as long as `suits` holds and the keys are
    of one length.
    """

    sender: str
    until_address: bytes
    until_key: bytes
    rest: bytes

    @staticmethod
    def suits(address: str, message_key: str) -> bool:
        """Whether a form may be filled with these: Django writes them as they stand."""
        return (
            len(address) <= _LONGEST_UNFOLDED
            and mailbox.is_plain(address)
            and _PLAIN_KEY.fullmatch(message_key) is not None
        )

    @classmethod
    def of(cls, sender: str, written: bytes, address: str, message_key: str) -> Self | None:
        """Return the form of what was written to a recipient; None where it would not fill to the same."""
        head, blank, body = written.partition(b"\r\n\r\n")
        if found := _GAPS.fullmatch(head):
            form = cls(sender, found[1], found[2], b"".join((found[3], blank, body)))
            if form.filled(address, message_key) == written:
                return form
        return None

    def filled(self, address: str, message_key: str) -> bytes:
        """Return the mail to a recipient, as Django would write it."""
        return b"".join(
            (self.until_address, address.encode(), self.until_key, message_key.encode(), self.rest)
        )


def recipient(address: str) -> str:
    """Return an address as it goes over the wire; raise `PermanentError` where it can't be one."""
    try:
        return mailbox.to_ascii(address)
    except ValidationError as error:
        raise PermanentError(Reason.REJECTED, str(error.message)) from None


@functools.lru_cache(maxsize=8)
def _domain(sender: str) -> str:
    return mailbox.to_ascii(parseaddr(sender)[1]).rpartition("@")[2] or "localhost"
