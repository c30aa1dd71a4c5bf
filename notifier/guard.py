"""The rules of `notifier.http` for libraries that post by urllib3 themselves, as requests does."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from notifier.addresses import REFUSED, check_port, resolve
from notifier.connections import CONNECT_LIMIT_S, MOST_ANSWER
from notifier.deadlines import Deadline, DeadlineSocket, connect
from notifier.errors import PermanentError, Reason

_checked: ContextVar[bool] = ContextVar("checked", default=False)
_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def guarded(deadline: Deadline) -> Iterator[None]:
    """Let this thread connect only to ports and to addresses, looked up once, that users may lead to.

    Redirects included; by a proxy nothing is sent, and what makes sockets of its own is refused. The deadline holds at each socket, of answers a little is read,
    and no path is logged. `PermanentError` goes through the library to whoever called it.
    """
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        deadline = _deadline.get()
        if deadline is None:
            return super()._new_conn()
        if self.proxy:  # it would look the name up itself
            raise PermanentError(Reason.BLOCKED_ADDRESS, REFUSED)
        check_port(self.port)
        addresses = resolve(self.host.strip("[]"), self.port, deadline)
        token = _checked.set(True)
        try:
            return connect(addresses, deadline.within(CONNECT_LIMIT_S))
        finally:
            _checked.reset(token)

    def connect(self) -> None:
        super().connect()
        if deadline := _deadline.get():
            self.sock = DeadlineSocket(self.sock, deadline, MOST_ANSWER)


class _TLSConnection(_Connection, HTTPSConnection):
    pass


def _refuse(event: str, _args: object) -> None:
    if event in {"socket.connect", "socket.sendto"} and _deadline.get() and not _checked.get():
        raise PermanentError(Reason.BLOCKED_ADDRESS, REFUSED)


sys.addaudithook(_refuse)
HTTPConnectionPool.ConnectionCls = _Connection
HTTPSConnectionPool.ConnectionCls = _TLSConnection
# its lines have the path, in which most webhooks keep their secret
logging.getLogger("urllib3.connectionpool").addFilter(lambda _record: _deadline.get() is None)
