"""A mail server that takes its time."""

from __future__ import annotations

import asyncio
import email
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from servers.process import free_port


class SlowMail:
    """aiosmtpd's handler: takes every mail, each after a while; keeps the Message-IDs."""

    def __init__(self, delay_s: float) -> None:
        self.port = free_port()
        self.taken: list[str] = []
        self.delay_s = delay_s

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        await asyncio.sleep(self.delay_s)
        self.taken.append(str(email.message_from_bytes(envelope.content)["Message-ID"]))
        return "250 OK"


@contextmanager
def slow_mail(delay_s: float) -> Iterator[SlowMail]:
    """Serve until the end of the block."""
    handler = SlowMail(delay_s)
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()
