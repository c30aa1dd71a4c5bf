"""The rules of `notifier.http` for libraries that post by urllib3 themselves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from urllib3.util import connection

from notifier.addresses import check_port, resolve
from notifier.connections import CONNECT_LIMIT_S
from notifier.deadlines import Deadline, connect

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
_unguarded = connection.create_connection


@contextmanager
def guarded(deadline: Deadline) -> Iterator[None]:
    """Let this thread connect only to ports and to addresses, looked up once, that users may lead to.

    Redirects and proxies included. `PermanentError` goes through the library to whoever called it.
    """
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _create_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
    deadline = _deadline.get()
    if deadline is None:
        return _unguarded(address, *args, **kwargs)
    host, port = address
    check_port(port)
    sock = connect(resolve(host.strip("[]"), port, deadline), deadline.within(CONNECT_LIMIT_S))
    sock.settimeout(deadline.left())
    return sock


connection.create_connection = _create_connection  # urllib3 connects nowhere else
