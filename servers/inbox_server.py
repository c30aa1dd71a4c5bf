"""The inbox's SMTP and HTTP servers, in one asyncio loop."""

import asyncio
import json
import signal
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP

from servers.caught import new_store, read_message
from servers.inbox_page import CONTENT_SECURITY_POLICY, render_page

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

    from servers.caught import Store

REFUSALS = {"refuse": "550 5.1.1 no such mailbox", "busy": "451 4.7.1 try again later"}
"""What a recipient gets whose address has this local part: how a test makes a server say no."""


class Catcher:
    """aiosmtpd's handler: keeps every mail, and refuses the addresses of REFUSALS."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: "Session",
        envelope: "Envelope",
        address: str,
        options: list[str],
    ) -> str:
        if refusal := REFUSALS.get(address.rpartition("@")[0].lower()):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: "Session", envelope: "Envelope"
    ) -> str:
        content = envelope.original_content or b""
        sender = envelope.mail_from or ""
        self._store.append(read_message(sender, [*envelope.rcpt_tos], content))
        return "250 OK"


class Web:
    """`GET /`, `GET /messages.json` and `DELETE /messages`, one request per connection."""

    def __init__(self, store: "Store", smtp_port: int) -> None:
        self._store = store
        self._smtp_port = smtp_port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=10)
            writer.write(_encode(*self._answer(head.decode("latin-1").split()[:2])))
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
            pass  # whoever does not speak HTTP is hung up on
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: list[str]) -> tuple[HTTPStatus, str, str]:
        match request:
            case ["GET", "/"]:
                page = render_page(self._store, self._smtp_port)
                return HTTPStatus.OK, "text/html; charset=utf-8", page
            case ["GET", "/messages.json"]:
                return HTTPStatus.OK, "application/json", json.dumps([*self._store])
            case ["DELETE", "/messages"]:
                self._store.clear()
                return HTTPStatus.NO_CONTENT, "text/plain", ""
            case [_, "/" | "/messages.json" | "/messages"]:
                return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", "no such method here\n"
        return HTTPStatus.NOT_FOUND, "text/plain", "no such page\n"


def _encode(status: HTTPStatus, content_type: str, text: str) -> bytes:
    # Half a surrogate pair can stand in a mail's header, but not in UTF-8.
    body = text.encode(errors="replace")
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if status is not HTTPStatus.NO_CONTENT:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


async def serve(smtp_port: int, http_port: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT; raises OSError when a port is taken."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    store = new_store()

    def session() -> SMTP:
        # A name of its own: the default looks this machine's up.
        return SMTP(Catcher(store), hostname="inbox.localhost", enable_SMTPUTF8=True, loop=loop)

    smtp = await loop.create_server(session, "127.0.0.1", smtp_port)
    # Last, so that a page that answers means mail is taken too.
    web = await asyncio.start_server(Web(store, smtp_port).serve, "127.0.0.1", http_port)
    await stopping.wait()
    web.close()
    smtp.close()
