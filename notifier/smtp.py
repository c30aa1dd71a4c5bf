"""SMTP with a total deadline, which knows whether the other side may have the mail.

smtplib's timeout is for each read: a server that sends a byte a second holds it for ever. And when
a connection breaks, smtplib doesn't tell whether the mail had been handed over by then.
"""

from __future__ import annotations

import io
import smtplib
import socket
import time
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

_END_OF_MAIL = b"\r\n.\r\n"


class SMTPAnswerMissing(smtplib.SMTPException):
    """The mail was handed over, and no answer came: the other side may have taken it."""


class _Reader(io.RawIOBase):
    """Reads a connection's socket, and never past its deadline."""

    def __init__(self, smtp: _Deadline) -> None:
        self._smtp = smtp

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._smtp.limited().recv_into(buffer)


class _Deadline(smtplib.SMTP):
    def __init__(self, host: str, port: int, *, timeout: float, **kwargs: Any) -> None:
        self._handed_over = False
        self.allow(timeout)
        super().__init__(host, port, timeout=timeout, **kwargs)

    def allow(self, seconds: float) -> None:
        """Let everything from now on take so long in all."""
        self.deadline = time.monotonic() + seconds

    def limited(self) -> socket.socket:
        """Return the socket, its next operation limited to what is left; raise `TimeoutError`."""
        left = self.deadline - time.monotonic()
        if left <= 0 or self.sock is None:
            raise TimeoutError
        self.sock.settimeout(left)
        return self.sock

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """Connect by the deadline, which a host's several addresses share."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for tried, (*_, address) in enumerate(found, start=1):
            left = max(self.deadline - time.monotonic(), 0.001) / (len(found) - tried + 1)
            try:
                return super()._get_socket(address[0], address[1], left)  # type: ignore[misc,no-any-return] # smtplib's own hook
            except OSError:
                if tried == len(found):
                    raise
        raise OSError("the mail server has no address")

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply, by the deadline."""
        if self.file is None:
            self.file = io.BufferedReader(_Reader(self))
        return super().getreply()

    def send(self, s: Any) -> None:
        """Send, by the deadline."""
        if self.sock:
            self.limited()
        super().send(s)
        self._handed_over = s[-5:] == _END_OF_MAIL

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Hand a mail over; raise `SMTPAnswerMissing` where only the answer did not come."""
        self._handed_over = False
        try:
            return super().data(msg)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            if self._handed_over:
                raise SMTPAnswerMissing from error
            raise


class DeadlineSMTP(_Deadline):
    """Plain or STARTTLS."""


class DeadlineSMTPSSL(_Deadline, smtplib.SMTP_SSL):
    """TLS from the first byte."""


class DeadlineBackend(EmailBackend):
    """Django's SMTP backend over these connections."""

    @property
    def connection_class(self) -> type[_Deadline]:
        """Return what `open()` makes."""
        return DeadlineSMTPSSL if self.use_ssl else DeadlineSMTP

    def allow(self, seconds: float) -> None:
        """Let the next mail take so long, from connecting to the last answer."""
        self.timeout = seconds
        if isinstance(self.connection, _Deadline):
            self.connection.allow(seconds)
