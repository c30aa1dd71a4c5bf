"""Looking a name up by a deadline: the system's resolver takes as long as it likes."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Any

from notifier.deadlines import Address, Deadline

MOST_LOOKUPS = 32
"""At once, in a process: a resolver that hangs holds a thread for each."""
_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)


def look_up(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Ask the system's resolver in a thread; raise `OSError` where there is no address in time."""
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - raised below, where somebody waits for it
            answer.set_exception(error)
        finally:
            _lookups.release()

    if not _lookups.acquire(timeout=deadline.left()):
        raise TimeoutError
    # no executor: Python would wait for its threads when the process ends
    try:
        threading.Thread(target=ask, name="look-up", daemon=True).start()
    except RuntimeError:  # the interpreter ends: no thread can be started any more
        ask()
    try:
        found = answer.result(timeout=deadline.left())
    except UnicodeError:
        raise OSError("no name of a host") from None
    return [Address(family, sockaddr) for family, *_, sockaddr in found]
