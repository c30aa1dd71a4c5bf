"""The mails an inbox has caught."""

import email
import email.policy
from collections import deque
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TypedDict

LIMIT = 10_000

# Functional, for the key `from`.
CaughtMessage = TypedDict(
    "CaughtMessage",
    {
        "to": list[str],
        "from": str,
        "subject": str,
        "text": str,
        "html": str,
        "headers": dict[str, str],
        "received": str,
    },
)
"""One mail: `to` and `from` are the envelope's, `text` and `html` the bodies ("" without one),
`headers` decoded, the last of a repeated name, `received` an ISO 8601 time in UTC."""

Store = deque[CaughtMessage]


def new_store() -> Store:
    """Make an empty store, oldest first, that forgets the oldest beyond LIMIT."""
    return deque(maxlen=LIMIT)


def read_message(sender: str, recipients: list[str], content: bytes) -> CaughtMessage:
    """Read a mail as SMTP handed it over."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    # stripped: a folded header keeps its fold's space
    headers = {name: str(value).strip() for name, value in mail.items()}
    return {
        "to": recipients,
        "from": sender,
        "subject": headers.get("Subject", ""),
        "text": _body(mail, "plain"),
        "html": _body(mail, "html"),
        "headers": headers,
        "received": datetime.now(UTC).isoformat(),
    }


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # a charset Python does not know
        return bytes(part.get_payload(decode=True) or b"").decode(errors="replace")
