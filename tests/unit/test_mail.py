"""What a mail server says, and what it means."""

from __future__ import annotations

import email
import smtplib
import socket
import ssl
from email.header import decode_header

import pytest

from notifier.errors import PermanentError, Reason, TemporaryError
from notifier.mail import build
from notifier.replies import translate

SECRET = b"5.1.1 <anna@example.org>: Recipient unknown"


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (smtplib.SMTPConnectError(421, b"4.3.2 busy"), TemporaryError, Reason.SERVER_ERROR),
        (smtplib.SMTPSenderRefused(451, b"later", "a@b"), TemporaryError, Reason.SERVER_ERROR),
        (smtplib.SMTPDataError(452, b"4.3.1 full"), TemporaryError, Reason.SERVER_ERROR),
        (smtplib.SMTPDataError(454, b"Throttling"), TemporaryError, Reason.RATE_LIMITED),
        (smtplib.SMTPDataError(450, b"4.2.0 greylisted"), TemporaryError, Reason.DEFERRED),
        (smtplib.SMTPDataError(552, b"5.2.2 mailbox full"), PermanentError, Reason.REJECTED),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (452, b"4.2.2 full")}),
            TemporaryError,
            Reason.DEFERRED,
        ),
        (smtplib.SMTPRecipientsRefused({"a@b": (451, b"later")}), TemporaryError, Reason.DEFERRED),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (451, b"4.3.0 busy")}),
            TemporaryError,
            Reason.SERVER_ERROR,
        ),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (421, b"bye")}),
            TemporaryError,
            Reason.SERVER_ERROR,
        ),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (550, b"unknown")}),
            PermanentError,
            Reason.REJECTED,
        ),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (550, b"5.2.1 disabled")}),
            PermanentError,
            Reason.GONE,
        ),
        (smtplib.SMTPDataError(552, b"5.3.4 too big"), PermanentError, Reason.TOO_LARGE),
        (smtplib.SMTPDataError(554, b"5.7.1 spam"), PermanentError, Reason.REJECTED),
        (smtplib.SMTPRecipientsRefused({"a@b": (550, SECRET)}), PermanentError, Reason.GONE),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (550, b"5.7.1 policy")}),
            PermanentError,
            Reason.REJECTED,
        ),
        (
            smtplib.SMTPRecipientsRefused({"a@b": (450, b"4.2.1 greylisted")}),
            TemporaryError,
            Reason.DEFERRED,
        ),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 no"), TemporaryError, Reason.AUTH),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 log in", "a@b"), TemporaryError, Reason.AUTH),
        # about the login, the sender or the connection: no recipient's fault
        (smtplib.SMTPAuthenticationError(534, b"5.7.9 app password"), TemporaryError, Reason.AUTH),
        (smtplib.SMTPConnectError(554, b"no"), TemporaryError, Reason.SERVER_ERROR),
        (smtplib.SMTPHeloError(550, b"no"), TemporaryError, Reason.SERVER_ERROR),
        (
            smtplib.SMTPSenderRefused(550, b"5.4.5 daily limit", "a@b"),
            TemporaryError,
            Reason.MISCONFIGURED,
        ),
        (
            smtplib.SMTPSenderRefused(501, b"5.1.7 bad sender", "a@b"),
            TemporaryError,
            Reason.MISCONFIGURED,
        ),
        (
            smtplib.SMTPSenderRefused(552, b"5.3.4 too big", "a@b"),
            PermanentError,
            Reason.TOO_LARGE,
        ),
        # about the sender, whatever the answer to RCPT: no reason to disable the recipient
        *(
            (
                smtplib.SMTPRecipientsRefused({"a@b": (550, text)}),
                PermanentError,
                Reason.REJECTED,
            )
            for text in (
                b"5.1.8 bad outbound sender",
                b"5.1.90 daily limit",
                b"relay not permitted",
            )
        ),
        (smtplib.SMTPNotSupportedError("STARTTLS"), TemporaryError, Reason.MISCONFIGURED),
        (smtplib.SMTPServerDisconnected("gone"), TemporaryError, Reason.CONNECTION),
        (ConnectionRefusedError(), TemporaryError, Reason.CONNECTION),
        (socket.gaierror("no such host"), TemporaryError, Reason.CONNECTION),
        (TimeoutError(), TemporaryError, Reason.TIMEOUT),
        (ssl.SSLCertVerificationError(), TemporaryError, Reason.TLS),
    ],
)
def test_an_smtp_failure_means(
    error: smtplib.SMTPException | OSError, kind: type[Exception], reason: Reason
) -> None:
    meant = translate(error)
    assert type(meant) is kind
    assert meant.reason is reason
    assert "anna" not in f"{meant!r} {meant.answer}"


def test_a_mail_has_one_recipient_and_a_stable_id() -> None:
    first, again = (
        build(to="a@example.org", subject="x\r\nBcc: evil@example.org", text="t", message_key="e.1")
        for _ in range(2)
    )
    assert first.to == ["a@example.org"]
    assert (
        first.extra_headers["Message-ID"] == again.extra_headers["Message-ID"] == "<e.1@localhost>"
    )
    assert first.subject == "x Bcc: evil@example.org"
    assert "\nBcc:" not in first.message().as_string()


def test_what_looks_encoded_in_a_subject_is_not_decoded() -> None:
    """It could hold the end of a line, and so another header."""
    message = build(
        to="a@example.org", subject="=?utf-8?q?=0d=0aBcc:_eve@x?=", text="t", message_key="e.1"
    ).message()
    assert decode_header(message["Subject"]) == [("= ?utf-8?q?=0d=0aBcc:_eve@x?=", None)]
    assert "Bcc" not in email.message_from_string(message.as_string())
