"""A total time limit at the socket: a library's own timeouts begin anew with each byte."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

MOST_TRIED = 2
"""Addresses of one host that are tried, IPv4 and IPv6 each: one may lead nowhere."""


class Deadline:
    """A moment after which nothing may begin."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def within(self, seconds: float) -> Self:
        """Return a deadline so many seconds from now, or this one where it ends sooner."""
        return type(self)(min(seconds, self._end - time.monotonic()))

    def left(self) -> float:
        """Return the seconds left; raise `TimeoutError` where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Address(NamedTuple):
    """Where to connect to, as `getaddrinfo` gives it."""

    family: int
    sockaddr: tuple[Any, ...]


def connect(addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that takes the connection; they share the deadline."""
    tried = [
        each
        for number, each in enumerate(addresses)
        if [other.family for other in addresses[:number]].count(each.family) < MOST_TRIED
    ]
    for remaining, address in zip(range(len(tried), 0, -1), tried, strict=True):
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left() / remaining)
            sock.connect(address.sockaddr)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.left())  # for a TLS handshake, which keeps to it as a whole
        except OSError:
            sock.close()
            if remaining == 1:
                raise
        else:
            return sock
    raise OSError("no address")


class DeadlineSocket:
    """A connected socket in a library's hands, whose every operation keeps to `deadline`.

    `most_read` bounds the bytes of one answer, headers and all, whoever reads them.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, most_read: int) -> None:
        self._sock = sock
        self.deadline = deadline
        self.most_read = most_read

    def fileno(self) -> int:
        """Return the descriptor, to poll."""
        return self._sock.fileno()

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: the deadline decides."""

    def sendall(self, data: Any) -> None:
        """Send all, by the deadline: Python's timeout of this one is for the whole."""
        self.limit()
        self._sock.sendall(data)

    def makefile(self, _mode: str = "rb", *_args: Any, **_options: Any) -> io.BufferedReader:
        """Return a reader of one answer; it holds the connection open as a socket's own does."""
        return io.BufferedReader(_Reader(self._sock.makefile("rb", buffering=0), self))

    def close(self) -> None:
        """Close it, once its readers are closed as well."""
        self._sock.close()

    def limit(self) -> None:
        """Let the next operation take what is left; raise `TimeoutError` where nothing is."""
        self._sock.settimeout(self.deadline.left())


class _Reader(io.RawIOBase):
    def __init__(self, raw: Any, sock: DeadlineSocket) -> None:
        self._raw = raw
        self._socket = sock
        self._budget = sock.most_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.limit()
        if self._budget <= 0:
            raise OSError("the answer is too large")
        count: int = self._raw.readinto(memoryview(buffer)[: self._budget])
        self._budget -= count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
