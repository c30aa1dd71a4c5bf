"""A mail address that a user may have told: RFC 5321's Mailbox, in a domain of the internet."""

from __future__ import annotations

import re
import unicodedata

import idna
from django.core.exceptions import ValidationError

_THIS_MACHINE = {"localhost", "localdomain"}
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9-]{1,63}"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def check(address: str) -> None:
    """Raise `ValidationError` for an address that no mail can reach, or only this machine's."""
    _, _, domain = to_ascii(address).rpartition("@")
    if any(unicodedata.category(each).startswith("C") for each in address):
        raise ValidationError("The address has an invisible character; type it anew.")
    last = domain.rstrip(".").rpartition(".")[2].lower()
    if domain.startswith("[") or last.isdigit():
        raise ValidationError("Write a domain such as example.org, not an IP address.")
    if last in _THIS_MACHINE:
        raise ValidationError("This domain is the mail server itself; write one of the internet.")


def is_plain(address: str) -> bool:
    """Whether it is written as it stands, in a header and on the wire: a dot-atom at a domain (RFC 5322)."""
    return _PLAIN.fullmatch(address) is not None


def to_ascii(address: str) -> str:
    """Return an address with its domain in A-labels (RFC 5891), as it goes over the wire.

    Raises `ValidationError` where no such domain can exist, and where the name before the @ is not
    ASCII: that takes SMTPUTF8 (RFC 6531) all the way, and Django's SMTP has no such thing.
    """
    local, at, domain = address.rpartition("@")
    if not local.isascii():
        raise ValidationError("Before the @ only a-z, digits and ASCII signs can be sent to.")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except UnicodeError as error:
        raise ValidationError("No such domain can exist; check what is after the @.") from error
