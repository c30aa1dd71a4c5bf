"""Ports to listen on, and waiting for a condition."""

import fcntl
import os
import secrets
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Reservations:
    """Ports promised to a program that does not listen yet, or not just now.

    A lock on the port's byte of this very file, past its end: it leaves nothing behind, and the
    kernel drops it when this process ends.
    """

    def __init__(self) -> None:
        self._mine: set[int] = set()
        self._file: int | None = None

    def take(self, port: int) -> bool:
        """Reserve a port for as long as this process lives; False if someone has it already."""
        if port in self._mine:  # a process's own lock never stops it
            return False
        if self._file is None:
            self._file = os.open(__file__, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        self._mine.add(port)
        return True


_reservations = _Reservations()


def free_port() -> int:
    """Find a TCP port on 127.0.0.1 that nobody listens on, and that no other call is given.

    Below the ports a kernel hands out to clients: there, a client that keeps trying a stopped
    server's port sooner or later gets connected to itself.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if _reservations.take(port):
                return port


def listenable(port: int | None) -> int:
    """Return the port if it can be listened on, a free one for None; raises OSError if it is taken.

    Asked before a server starts, because whoever sits on its port would answer in its place.
    """
    if port is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    return port


def wait_until(
    condition: "Callable[[], T]", *, timeout_s: float, what: str, poll_s: float = 0.02
) -> T:
    """Poll until the condition answers something true, and return that.

    Raises TimeoutError, naming `what`, after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout_s} s")
        time.sleep(poll_s)
    return answer
