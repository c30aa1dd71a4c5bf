"""SMTP with a total deadline, which knows whether the other side may have the mail.

smtplib's timeout is for each read: a server that sends a byte a second holds it for ever. And when
a connection breaks, smtplib doesn't tell whether the mail had been handed over by then.
"""

from __future__ import annotations

import copy
import io
import re
import smtplib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from notifier import mailbox

_END_OF_MAIL = b"\r\n.\r\n"
_DOTS = re.compile(rb"^\.", re.MULTILINE)
_OK = 250
_SEND_MAIL = 354
_GOODBYE = 421

_Refusal = Callable[[int, bytes, str, str], smtplib.SMTPException]
_STAGES: Sequence[tuple[set[int], _Refusal]] = (
    ({_OK}, lambda code, text, sender, _to: smtplib.SMTPSenderRefused(code, text, sender)),
    ({_OK, 251}, lambda code, text, _from, to: smtplib.SMTPRecipientsRefused({to: (code, text)})),
    ({_SEND_MAIL}, lambda code, text, _from, _to: smtplib.SMTPDataError(code, text)),
)
"""MAIL, RCPT and DATA: the replies to go on with, and what any other means; as smtplib has it."""


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

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: Any,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> dict[str, tuple[int, bytes]]:
        """Hand a mail over, in two round trips where the server takes several commands at once.

        That is for bytes to one recipient; the rest, and all that is raised, is smtplib's.
        """
        self.ehlo_or_helo_if_needed()
        match to_addrs, msg, mail_options, rcpt_options:
            case [recipient], bytes(), [], [] if self.has_extn("pipelining"):
                self._announce(from_addr, recipient, len(msg))
                self._hand_over(msg)
                return {}
        return super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)

    def _announce(self, sender: str, recipient: str, size: int) -> None:
        """Send MAIL, RCPT and DATA together (RFC 2920); return where the server waits for the mail."""
        option = f" size={size}" if self.has_extn("size") else ""
        commands = f"mail FROM:{_path(sender)}{option}\r\nrcpt TO:{_path(recipient)}\r\ndata\r\n"
        if len(commands.splitlines()) != len(_STAGES):
            raise ValueError("an address holds the end of a line")
        self.send(commands)
        refusal: smtplib.SMTPException | None = None
        for go_on, refused in _STAGES:
            code, text = self.getreply()
            if code not in go_on:
                refusal = refusal or refused(code, text, sender, recipient)
            if code == _GOODBYE:
                self.close()
                break
        if refusal is None:
            return
        if code == _SEND_MAIL:  # though nobody is to get it: a dot ends it (RFC 2920, section 3.1)
            self.send(b".\r\n")
            self.getreply()
        if code != _GOODBYE:
            self._start_over()
        raise refusal

    def _hand_over(self, mail: bytes) -> None:
        if mail.startswith(b".") or b"\n." in mail:
            mail = _DOTS.sub(b"..", mail)
        with self._answer_expected():
            self.send(mail + (b".\r\n" if mail.endswith(b"\r\n") else _END_OF_MAIL))
            code, text = self.getreply()
        if code == _OK:
            return
        if code == _GOODBYE:
            self.close()
        else:
            self._start_over()
        raise smtplib.SMTPDataError(code, text)

    def _start_over(self) -> None:
        with suppress(smtplib.SMTPServerDisconnected):  # the next mail will find out
            self.rset()

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Hand a mail over; raise `SMTPAnswerMissing` where only the answer did not come."""
        with self._answer_expected():
            return super().data(msg)

    @contextmanager
    def _answer_expected(self) -> Iterator[None]:
        self._handed_over = False
        try:
            yield
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

    def written(self, message: EmailMessage) -> tuple[str, bytes]:
        """Return the sender and the mail, as Django would hand a message over; nothing is sent."""
        scribe, writing = _Scribe(), copy.copy(self)
        writing.connection = scribe  # type: ignore[assignment] # as much of one as is needed
        writing.send_messages([message])
        return scribe.sender, scribe.mail

    def hand_over(self, sender: str, recipient: str, mail: bytes) -> int:
        """Send what was written to one recipient, over the open connection; return 1."""
        assert self.connection  # noqa: S101 - it was opened
        self.connection.sendmail(sender, [recipient], mail)
        return 1


class _Scribe:
    """Stands where a connection does, and keeps what it is handed."""

    def sendmail(self, sender: str, _recipients: Sequence[str], mail: bytes) -> None:
        self.sender, self.mail = sender, mail


def _path(address: str) -> str:
    """Return an address as MAIL and RCPT have it; what smtplib makes of a plain one, without parsing."""
    return f"<{address}>" if mailbox.is_plain(address) else smtplib.quoteaddr(address)
