"""HTTP connections: urllib3's, to addresses that were checked, under a total deadline."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection

from notifier.addresses import resolve
from notifier.deadlines import Address, Deadline, DeadlineSocket, connect

LOOKUP_LIMIT_S = 5.0
CONNECT_LIMIT_S = 10.0
"""For connecting and the TLS handshake together."""
MOST_ANSWER = 128 * 1024
"""Bytes of an answer in all: what headers and chunks may add."""


class Origin(NamedTuple):
    """Whom a connection is to."""

    scheme: str
    host: str
    port: int


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        """Let all that comes before the answer be passed over (RFC 9110, section 15.2), not 100 alone."""
        version, status, reason = super()._read_status()  # type: ignore[misc] # http.client's own hook
        interim = HTTPStatus.SWITCHING_PROTOCOLS < status < HTTPStatus.OK
        return version, HTTPStatus.CONTINUE if interim else status, reason

    def begin(self) -> None:
        """Read the headers, and forget what is wrong with them: urllib3 would log it with the URL."""
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")


class Connection(HTTPConnection):
    """Connects to addresses that were checked; the URL's own name stays in `Host` and in TLS."""

    # urllib3's pools are left out: they log each URL's path
    response_class = _Response
    putheader = http.client.HTTPConnection.putheader
    origin: Origin
    checked: Sequence[Address] = ()
    deadline: Deadline
    limited: DeadlineSocket

    def ready(self, deadline: Deadline) -> None:
        """Connect unless that still stands, and let everything from now on keep to the deadline."""
        if self.is_connected:
            self.limited.deadline = deadline
            return
        self.close()
        self.deadline = deadline
        self.checked = resolve(self.origin.host, self.origin.port, deadline.within(LOOKUP_LIMIT_S))
        self.connect()

    def post(self, target: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a request, whose answer `answer` returns.

        Both are http.client's own: what urllib3 wraps around them takes as long again.
        """
        http.client.HTTPConnection.request(self, "POST", target, body, headers)

    def answer(self) -> http.client.HTTPResponse:
        """Wait for the headers of the answer."""
        return http.client.HTTPConnection.getresponse(self)

    def _new_conn(self) -> socket.socket:
        return connect(self.checked, self.deadline.within(CONNECT_LIMIT_S))

    def connect(self) -> None:
        """Connect, and hand the socket to its deadline."""
        super().connect()
        self.limited = self.sock = DeadlineSocket(self.sock, self.deadline, MOST_ANSWER)


class TLSConnection(Connection, HTTPSConnection):
    """The same, over TLS."""


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def connection_to(origin: Origin) -> Connection:
    """Return a connection that is still to be made."""
    host, port = origin.host, origin.port
    tls = origin.scheme == "https"
    found = TLSConnection(host, port, ssl_context=_tls()) if tls else Connection(host, port)
    found.origin = origin
    return found
