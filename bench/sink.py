"""Takes mails and posts, keeps nothing but counts: `python -m bench.sink SMTP HTTP CONTROL`.

On the control port `GET` answers a `Tally` as JSON, `GET /arrivals` when each message came, by its
id, `DELETE` empties it all, and `PUT /0.05` lets each answer to a message wait so many seconds.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

_EHLO = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>@]+)", re.MULTILINE)
_WEBHOOK_ID = re.compile(rb"^webhook-id: *(\S+)", re.MULTILINE | re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.MULTILINE | re.IGNORECASE)
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Tally:
    """What arrived; the times are on the machine's monotonic clock, the same in every process."""

    messages: int
    distinct: int
    first_at: float
    last_at: float


class Box:
    """Counts messages, and notes when each id came first."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.empty()

    def empty(self) -> None:
        """Forget everything."""
        self._messages = 0
        self._last_at = 0.0
        self._arrivals: dict[str, float] = {}

    def drop(self, found: re.Match[bytes] | None) -> None:
        """Count one message."""
        self._messages += 1
        self._last_at = time.monotonic()
        if found:
            self._arrivals.setdefault(found[1].decode(), self._last_at)

    def tally(self) -> Tally:
        """Return the counts."""
        first_at = next(iter(self._arrivals.values()), 0.0)
        return Tally(self._messages, len(self._arrivals), first_at, self._last_at)

    def answer(self, request: bytes) -> bytes:
        """Do what the control port is asked for."""
        method, path, *_ = request.decode().split()
        if method == "DELETE":
            self.empty()
        elif method == "PUT":
            self.delay_s = float(path[1:])
        elif path == "/arrivals":
            return json.dumps(self._arrivals).encode()
        return json.dumps(asdict(self.tally())).encode()


class Session(asyncio.Protocol):
    """One client: takes what is complete, and answers all of it in one write."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.received = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.greet()

    def data_received(self, data: bytes) -> None:
        """Take what is complete."""
        self.received += data
        replies = []
        while (reply := self.take()) is not None:
            replies.append(reply)
        if replies:
            self._transport.write(b"".join(replies))
            if replies[-1].startswith(b"221"):
                self._transport.close()

    def write(self, reply: bytes) -> None:
        """Say something."""
        self._transport.write(reply)

    def kept(self, reply: bytes) -> bytes:
        """Return the answer to a message, or nothing where it comes later."""
        if not self.box.delay_s:
            return reply
        asyncio.get_running_loop().call_later(self.box.delay_s, self.write, reply)
        return b""

    def greet(self) -> None:
        """Say hello, where that is the custom."""

    @abstractmethod
    def take(self) -> bytes | None:
        """Take one command or message; return what to answer, None where none is complete."""


class Mail(Session):
    """As much of SMTP as a client needs that behaves; pipelining included."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._in_mail = False

    def greet(self) -> None:
        """Say hello."""
        self.write(b"220 sink\r\n")

    def take(self) -> bytes | None:
        """Take a line, or a mail after DATA."""
        mark = b"\r\n.\r\n" if self._in_mail else b"\r\n"
        end = self.received.find(mark)
        if end < 0:
            return None
        part = bytes(self.received[:end])
        del self.received[: end + len(mark)]
        return self._mail(part) if self._in_mail else self._command(part)

    def _mail(self, mail: bytes) -> bytes:
        self.box.drop(_MESSAGE_ID.search(mail))
        self._in_mail = False
        return self.kept(b"250 kept\r\n")

    def _command(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return _EHLO
            case b"DATA":
                self._in_mail = True
                self.received[:0] = b"\r\n"  # so that an empty mail ends like any other
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
            case _:
                return b"250 fine\r\n"


class Post(Session):
    """As much of HTTP/1.1 as a client needs that sends a Content-Length."""

    def take(self) -> bytes | None:
        """Take a request."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[:end])
        length = _LENGTH.search(head)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self.received) < size:
            return None
        del self.received[:size]
        self.box.drop(_WEBHOOK_ID.search(head))
        return self.kept(_TAKEN)


async def _control(box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = box.answer(await reader.readuntil(b"\r\n\r\n"))
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    writer.close()


async def _serve(smtp_port: int, http_port: int, control_port: int) -> None:
    box, loop = Box(), asyncio.get_running_loop()
    kinds: list[tuple[Callable[[Box], Session], int]] = [(Mail, smtp_port), (Post, http_port)]
    for kind, port in kinds:
        await loop.create_server(partial(kind, box), "127.0.0.1", port)
    control = await asyncio.start_server(partial(_control, box), "127.0.0.1", control_port)
    await control.serve_forever()


class Sink:
    """A running sink, seen from outside."""

    def __init__(self, control_port: int) -> None:
        self._port = control_port

    def tally(self) -> Tally:
        """Return the counts."""
        return Tally(**self._ask("GET", "/"))

    def arrivals(self) -> dict[str, float]:
        """Return when each message came, by the part of its id before the @."""
        found: dict[str, float] = self._ask("GET", "/arrivals")
        return found

    def empty(self) -> None:
        """Forget everything, and answer at once from now on."""
        self._ask("DELETE", "/")
        self.answer_after(0)

    def answer_after(self, seconds: float) -> None:
        """Let each answer to a message wait."""
        self._ask("PUT", f"/{seconds}")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:4])))
