"""A mail server that keeps nothing but counts: `python -m bench.sink SMTP_PORT HTTP_PORT`.

`GET` on the HTTP port answers a `Tally` as JSON, `DELETE` empties it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial

_EHLO = b"250-sink\r\n250 8BITMIME\r\n"
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tally:
    """What arrived; `last_at` is on the machine's monotonic clock, the same in every process."""

    messages: int
    distinct: int
    last_at: float


class Box:
    """Counts mails, and how many Message-IDs they have."""

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        """Forget everything."""
        self._messages = 0
        self._last_at = 0.0
        self._ids: set[bytes] = set()

    def drop(self, mail: bytes) -> None:
        """Count one mail."""
        self._messages += 1
        self._last_at = time.monotonic()
        if found := _MESSAGE_ID.search(mail):
            self._ids.add(found[1])

    def tally(self) -> Tally:
        """Return the counts."""
        return Tally(self._messages, len(self._ids), self._last_at)


class Session(asyncio.Protocol):
    """As much of SMTP as a client needs that behaves; pipelining included."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._received = bytearray()
        self._in_mail = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer every complete line or mail in one write."""
        self._received += data
        replies = []
        while (end := self._received.find(mark := self._mark)) >= 0:
            part = bytes(self._received[:end])
            del self._received[: end + len(mark)]
            replies.append(self._mail(part) if self._in_mail else self._command(part))
        if replies:
            self._transport.write(b"".join(replies))
        if replies and replies[-1].startswith(b"221"):
            self._transport.close()

    @property
    def _mark(self) -> bytes:
        return b"\r\n.\r\n" if self._in_mail else b"\r\n"

    def _mail(self, mail: bytes) -> bytes:
        self._box.drop(mail)
        self._in_mail = False
        return b"250 kept\r\n"

    def _command(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return _EHLO
            case b"DATA":
                self._in_mail = True
                self._received[:0] = b"\r\n"  # so that an empty mail ends like any other
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
            case _:
                return b"250 fine\r\n"


async def _answer(box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if (await reader.readuntil(b"\r\n\r\n")).startswith(b"DELETE"):
        box.empty()
    body = json.dumps(asdict(box.tally())).encode()
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    writer.close()


async def _serve(smtp_port: int, http_port: int) -> None:
    box = Box()
    await asyncio.get_running_loop().create_server(lambda: Session(box), "127.0.0.1", smtp_port)
    counter = await asyncio.start_server(partial(_answer, box), "127.0.0.1", http_port)
    await counter.serve_forever()


def ask(http_port: int, method: str = "GET") -> Tally:
    """Ask a running sink for its counts; with `DELETE` empty it."""
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=10)
    try:
        connection.request(method, "/")
        return Tally(**json.loads(connection.getresponse().read()))
    finally:
        connection.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
