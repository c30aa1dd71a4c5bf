"""The ledger's process: `python -m tests.acceptance.faults.ledger_server SMTP_PORT CONTROL_PORT [CERTIFICATE]`."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from tests.acceptance.faults.rules import DRIP, HANG, RESET, Rule

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
LARGEST = 64 * 1024 * 1024


class HungUpError(Exception):
    """This conversation is over."""


class Book:
    """What was taken, and the rules by which mails are refused."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, float]] = []
        self.rules: list[Rule] = []
        self.seen: Counter[str] = Counter()

    def rule(self, stage: str, recipient: str) -> Rule | None:
        """Return the rule that holds now, if any."""
        self.seen[stage] += 1
        return next((rule for rule in self.rules if rule.holds(stage, recipient)), None)


class Conversation:
    """One client."""

    def __init__(
        self,
        book: Book,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._book, self._reader, self._writer, self._tls = book, reader, writer, tls
        self._recipients: list[str] = []

    async def hold(self) -> None:
        """Talk until one side has had enough."""
        with suppress(HungUpError, OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._answer("connect", "220 ledger")
            while line := await self._reader.readline():
                await self._obey(line.decode("latin-1").strip())
        self._writer.close()

    async def _obey(self, line: str) -> None:
        match line[:4].upper():
            case "EHLO":
                offers = ["ledger", *(["STARTTLS"] if self._tls else []), "8BITMIME"]
                dashed = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
                await self._answer("ehlo", "\r\n".join(dashed))
            case "STAR":
                if await self._answer("starttls", "220 go"):
                    assert self._tls
                    await self._writer.start_tls(self._tls)
            case "MAIL":
                self._recipients = []
                await self._answer("mail", "250 ok")
            case "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                if await self._answer("rcpt", "250 ok", recipient):
                    self._recipients.append(recipient)
            case "DATA":
                if await self._answer("data", "354 go", *self._recipients):
                    await self._take(await self._reader.readuntil(b"\r\n.\r\n"))
            case "QUIT":
                await self._say("221 bye")
                raise HungUpError
            case _:
                await self._say("250 ok")

    async def _take(self, mail: bytes) -> None:
        found = MESSAGE_ID.search(mail)
        message_id = found[1].decode("latin-1") if found else ""
        entries = [(message_id, recipient, time.time()) for recipient in self._recipients]
        await self._answer("end", "250 taken", *self._recipients, entries=entries)

    async def _answer(
        self,
        stage: str,
        reply: str,
        *recipients: str,
        entries: list[tuple[str, str, float]] | None = None,
    ) -> bool:
        """Reply, as the rules want it; say whether that was the ordinary reply."""
        rule = self._book.rule(stage, recipients[0] if recipients else "")
        if rule and rule.late_s:
            await asyncio.sleep(rule.late_s)
        if entries and (rule is None or rule.taken or not rule.answer):
            self._book.entries += entries
        if rule is None or not rule.answer:
            await self._say(reply)
            return True
        await self._misbehave(rule.answer)
        return False

    async def _misbehave(self, answer: str) -> None:
        if answer == RESET:
            self._writer.transport.abort()
            raise HungUpError
        if answer == HANG:
            await asyncio.sleep(3600)
            raise HungUpError
        while answer == DRIP:
            self._writer.write(b"2")
            await self._writer.drain()
            await asyncio.sleep(1)
        await self._say(answer)
        if answer.startswith("421"):
            raise HungUpError

    async def _say(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()


class Door:
    """The SMTP port, open or shut."""

    def __init__(self, book: Book, port: int, tls: ssl.SSLContext | None) -> None:
        self._book, self._port, self._tls = book, port, tls
        self._server: asyncio.Server | None = None
        self._inside: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Take connections."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._welcome, "127.0.0.1", self._port, limit=LARGEST, backlog=1024
            )

    def shut(self) -> None:
        """Refuse connections, and break those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._inside:
            writer.transport.abort()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside.add(writer)
        try:
            await Conversation(self._book, reader, writer, self._tls).hold()
        finally:
            self._inside.discard(writer)


class Desk:
    """The control port: one question a connection."""

    def __init__(self, book: Book, door: Door) -> None:
        self._book, self._door = book, door

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question."""
        if line := await reader.readline():
            answer = await self._answer(json.loads(line))
            writer.write(json.dumps(answer).encode() + b"\n")
        with suppress(OSError):
            await writer.drain()
        writer.close()

    async def _answer(self, question: dict[str, Any]) -> object:
        match question["do"]:
            case "script":
                self._book.rules = [Rule(**rule) for rule in question["rules"]]
            case "refuse":
                self._door.shut()
            case "listen":
                await self._door.open()
            case "entries":
                return self._book.entries
            case "count":
                return len(self._book.entries)
            case "seen":
                return self._book.seen
        return None


async def serve(smtp_port: int, control_port: int, certificate: str = "") -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    book = Book()
    door = Door(book, smtp_port, tls)
    await door.open()
    # last: when it answers, mail is taken too
    await asyncio.start_server(Desk(book, door).serve, "127.0.0.1", control_port)
    await stopping.wait()


if __name__ == "__main__":
    with suppress(asyncio.CancelledError):
        asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
