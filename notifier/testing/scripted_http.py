"""A web server that misbehaves where it is told to."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

Fault = Callable[[socket.socket, "Site"], None]
"""What a server may do instead of going on."""
Script = tuple["bytes | Fault", ...]
"""What is said and done in turn; a connection stays open after it unless a fault ends it."""


@dataclass(frozen=True)
class Request:
    """What a client posted, and when (monotonic seconds)."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at_s: float


@dataclass
class Site:
    """A scripted server: `script` maps a path to its script, or to one for each request in turn.

    Two more keys: `connect` happens before anything is read (and before TLS), `head` before the
    body is read.
    """

    port: int
    script: Mapping[str, Script | list[Script]]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    ending: threading.Event = field(default_factory=threading.Event)
    _asked: Counter[str] = field(default_factory=Counter)

    def url(self, path: str = "/ok", host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def next_script(self, key: str) -> Script:
        """Return what to do; for `connect` and `head` nothing, unless told."""
        found = self.script.get(key, () if key in {"connect", "head"} else (answer(404),))
        if isinstance(found, list):
            self._asked[key] += 1
            found = found[min(self._asked[key], len(found)) - 1]
        return found


def answer(status: int, *headers: str, body: bytes = b"ok") -> bytes:
    """Return a whole answer; further headers as lines."""
    lines = (f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


@contextmanager
def scripted_http(
    script: Mapping[str, Script | list[Script]], tls: ssl.SSLContext | None = None
) -> Iterator[Site]:
    """Serve until the end of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        site = Site(server.getsockname()[1], script, tls)
        thread = threading.Thread(target=_serve, args=(server, site))
        thread.start()
        try:
            yield site
        finally:
            site.ending.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def _serve(server: socket.socket, site: Site) -> None:
    threads = []
    while True:
        connection, _ = server.accept()
        if site.ending.is_set():
            connection.close()
            break
        site.connections += 1
        threads.append(threading.Thread(target=_talk, args=(connection, site)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _talk(connection: socket.socket, site: Site) -> None:
    connection.settimeout(0.1)
    try:
        with connection:
            if not _act(connection, site.next_script("connect"), site):
                return
            if site.tls:
                connection.getpeername()  # a client that is gone: Python would leak what it wraps
                connection.settimeout(5)
                connection = site.tls.wrap_socket(connection, server_side=True)
                connection.settimeout(0.1)
            with connection:
                while (path := _take(connection, site)) and _act(
                    connection, site.next_script(path), site
                ):
                    pass
    except OSError:
        return  # the client went away, as it should


def _take(connection: socket.socket, site: Site) -> str:
    """Read a request; return its path, empty at the end."""
    head, left = _until(connection, b"\r\n\r\n", b"", site)
    if not head:
        return ""
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    if not _act(connection, site.next_script("head"), site):
        return ""
    length = int(headers.get("content-length", "0"))
    body = left
    while len(body) < length and (more := _receive(connection, site)):
        body += more
    path = request_line.split(" ")[1]
    site.requests.append(Request(path, headers, body, time.monotonic()))
    return path


def _until(connection: socket.socket, end: bytes, got: bytes, site: Site) -> tuple[bytes, bytes]:
    while end not in got:
        more = _receive(connection, site)
        if not more:
            return b"", b""
        got += more
    head, _, left = got.partition(end)
    return head, left


def _receive(connection: socket.socket, site: Site) -> bytes:
    while not site.ending.is_set():
        try:
            return connection.recv(65_536)
        except TimeoutError:
            continue
    return b""


def _act(connection: socket.socket, script: Sequence[bytes | Fault], site: Site) -> bool:
    """Say and do it all; return whether the connection goes on."""
    for step in script:
        if not isinstance(step, bytes):
            step(connection, site)
            return False
        connection.sendall(step)
    return True


def hang(_connection: socket.socket, site: Site) -> None:
    """Say nothing any more."""
    site.ending.wait(30)


def drip(connection: socket.socket, site: Site) -> None:
    """Say a byte now and then, for ever."""
    while not site.ending.wait(0.05):
        connection.sendall(b"a")


def sip(connection: socket.socket, site: Site) -> None:
    """Read a little now and then, for ever."""
    while not site.ending.wait(0.05):
        connection.recv(16_384)


def close(connection: socket.socket, site: Site) -> None:
    """End the connection in an orderly way; closing over unread data would reset it."""
    connection.shutdown(socket.SHUT_WR)
    while _receive(connection, site):
        pass


def reset(connection: socket.socket, _site: Site) -> None:
    """Break the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def huge(connection: socket.socket, site: Site) -> None:
    """Say a GB."""
    _flood(connection, bytes(65_536), site)


def promise(connection: socket.socket, site: Site) -> None:
    """Say without end that an answer will come."""
    _flood(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 2048, site)


def _flood(connection: socket.socket, piece: bytes, site: Site) -> None:
    for _ in range(2**30 // len(piece)):
        if site.ending.is_set():
            return
        connection.sendall(piece)
