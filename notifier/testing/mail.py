"""What a medium that sends mail must do besides."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from notifier.errors import Reason
from notifier.media.base import Status
from notifier.testing.conformance import LIMIT_S, SECRET, MediumConformance, Provider, Taken
from notifier.testing.scripted_smtp import (
    CLOSE,
    DRIP,
    HANG,
    RESET,
    Mail,
    point_mail_at,
    scripted_smtp,
)

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

GRACE_S = 4.0
"""The goodbye of a connection has 2 seconds of its own."""
_BROKEN = (HANG, DRIP, CLOSE, RESET)


@dataclass(frozen=True, slots=True)
class TakenMail(Taken):
    """A mail as it arrived: `text` and `html` are its bodies, empty without one."""

    html: str
    raw: bytes


class MailServer(Provider):
    """A mail server; `script` is what it does at each stage (see `scripted_smtp`)."""

    def __init__(self, test: MailMediumConformance) -> None:
        self.script: dict[str, bytes] = {}
        self.mails: list[Mail] = []
        self._test = test
        self._numbers: dict[str, int] = {}

    def settings_of(self, number: int) -> dict[str, Any]:
        """Return the settings with the recipient's address."""
        settings = self._test.settings_of(number)
        self._numbers[self._test.address_of(settings)] = number
        return settings

    def taken(self) -> list[Taken]:
        """Return what was mailed."""
        return [self._read(mail) for mail in self.mails]

    def _read(self, mail: Mail) -> TakenMail:
        [recipient] = mail.recipients
        content = mail.data.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        bodies = [parsed.get_body((kind,)) for kind in ("plain", "html")]
        text, html = ("" if body is None else str(body.get_content()) for body in bodies)
        headers = {name.lower(): str(value) for name, value in parsed.items()}
        return TakenMail(self._numbers[recipient], headers, text, html, mail.data)

    def refuse(self, number: int) -> None:
        """Answer 550, and quote the address."""
        address = self._test.address_of(self.settings_of(number))
        said = f"550 5.1.1 <{address}>: no such user\r\n"
        self.script[f"RCPT TO:<{address}>"] = said.encode()

    def answer_later(self) -> None:
        """Answer 451 to the mail."""
        self.script["mail"] = f"451 4.3.0 {SECRET} later\r\n".encode()

    def take_again(self) -> None:
        """Answer as at the beginning."""
        self.script.clear()


class MailMediumConformance(MediumConformance):
    """Tests that every medium passes that sends by `notifier.mail`.

    A subclass names its `medium`, and has `settings_of` and `address_of`.
    """

    no_address = (
        *MediumConformance.no_address,
        5,
        "nonsense",
        "a@b\r\nBcc: eve@example.org",
        "\ud800",
    )

    def settings_of(self, number: int) -> dict[str, Any]:
        """Return a recipient's valid settings; another one for each number from 0 to 999."""
        raise NotImplementedError(f"{type(self).__name__}.settings_of")

    def address_of(self, settings: dict[str, Any]) -> str:
        """Return the e-mail address that a recipient is reached at."""
        raise NotImplementedError(f"{type(self).__name__}.address_of")

    @pytest.fixture
    def provider(self, settings: Settings) -> Iterator[MailServer]:
        """A mail server of this machine, which Django's settings name."""
        server = MailServer(self)
        with scripted_smtp(server.script, server.mails) as port:
            point_mail_at(port, settings)
            yield server

    @pytest.fixture
    def soon(self, settings: Settings) -> None:
        """A short time limit."""
        settings.NOTIFIER_SEND_TIMEOUT_S = LIMIT_S

    def valid_settings(self, number: int) -> dict[str, Any]:
        """Return the same."""
        return self.settings_of(number)

    def check_message(self, taken: Taken) -> None:
        """Assert that HTML in a field shows as text, and that no line could end the mail."""
        assert isinstance(taken, TakenMail)
        assert "<script" not in taken.html.lower()
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", taken.raw)

    def same_in_a_retry(self, taken: Taken) -> object:
        """Return the text, and what a receiver knows a repeat by."""
        return taken.text, taken.headers["message-id"]

    @pytest.mark.usefixtures("soon")
    @pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "mail"])
    def test_a_server_that_breaks_off_is_left_in_time_to_be_tried_again(
        self, provider: MailServer, stage: str
    ) -> None:
        for fault in (*_BROKEN, b"421 4.3.2 going down\r\n"):
            provider.script[stage] = fault
            start = time.monotonic()
            outcome = self.send_one(provider.settings_of(1))
            assert time.monotonic() - start < LIMIT_S + GRACE_S
            assert outcome.status is Status.TEMPORARY
            clear = {Reason.TIMEOUT, Reason.CONNECTION, Reason.SERVER_ERROR}
            unclear = stage == "mail" and fault in _BROKEN
            assert outcome.reason in ({Reason.UNCLEAR} if unclear else clear), fault

    @pytest.mark.parametrize(
        ("stage", "reply", "status", "reason"),
        [
            ("mail", "454 Throttling", Status.TEMPORARY, Reason.RATE_LIMITED),
            ("RCPT", "450 4.2.1 later", Status.TEMPORARY, Reason.DEFERRED),
            ("RCPT", "550 5.1.1 unknown", Status.PERMANENT, Reason.GONE),
            ("RCPT", "550 5.7.1 spam", Status.PERMANENT, Reason.REJECTED),
            ("mail", "451 4.3.0 later", Status.TEMPORARY, Reason.SERVER_ERROR),
            ("mail", "552 5.3.4 too big", Status.PERMANENT, Reason.TOO_LARGE),
            ("mail", "554 5.7.1 spam", Status.PERMANENT, Reason.REJECTED),
        ],
    )
    def test_each_reply_is_tried_again_or_given_up(
        self, provider: MailServer, stage: str, reply: str, status: Status, reason: Reason
    ) -> None:
        provider.script[stage] = f"{reply}\r\n".encode()
        outcome = self.send_one(provider.settings_of(1))
        assert (outcome.status, outcome.reason) == (status, reason)
