"""Over HTTP: `POST /api/v1/events` with a source's token, within seconds, or not at all."""

from __future__ import annotations

import functools
import http.client
import json
import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from notifier.answers import retry_after_s
from notifier.client import forking
from notifier.client.events import Message
from notifier.deadlines import Deadline, DeadlineSocket, connect
from notifier.errors import ConflictingEvent, InvalidEvent, Problem, QueueUnavailable
from notifier.lookups import look_up

PATH = "/api/v1/events"
LIMIT_S = 3.0
"""A post takes no longer: name, connection, TLS and answer together."""
_MOST_ANSWER = 1024 * 1024
_MOST_KEPT = 10
"""Connections that are kept open between posts."""
_STALE = (ConnectionError, http.client.BadStatusLine)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_UNREACHABLE = (OSError, http.client.HTTPException, ValueError)
"""What http.client raises; a ValueError is of a name that is none, or an answer that is no JSON."""


class HTTPTransport:
    """Posts to a server by a token, which says whose the events are; TLS is always verified.

    Proxies of the environment are not used, redirects not followed.
    """

    kind = "http"
    names_events = True

    def __init__(self, url: str, *, source: str | None, token: str | None) -> None:
        """Take the server's URL, such as `https://notifier.example.org/`, and a source's token."""
        parts = urlsplit(url)
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("url must be like https://notifier.example.org/, the token apart")
        if not token or not re.fullmatch(r"[!-~]+", token):
            raise ValueError(f"{parts.scheme}:// needs token, a source's (`notifier addsource`)")
        if not source:
            raise ValueError(f"{parts.scheme}:// needs source, the name of the token's source")
        self._tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        self.origin = f"{parts.scheme}://{parts.netloc}{self._path}"
        self.name = f"{parts.scheme}://{parts.netloc}"
        self._source = source
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._idle: list[_Connection] = []
        forking.mind(self)

    def __repr__(self) -> str:
        return f"<HTTPTransport to {self.origin}>"

    def post(self, messages: Sequence[Message]) -> None:
        """Post as one request; raise `QueueUnavailable` within `LIMIT_S`, or what was refused."""
        for each in messages:
            if each.event["source"] != self._source:
                raise InvalidEvent([Problem("source", "leave it out: the token says who posts")])
        bodies = [each.body for each in messages]
        body = bodies[0] if len(bodies) == 1 else f"[{','.join(bodies)}]"
        deadline = Deadline(LIMIT_S)
        try:
            status, headers, said = self._exchange(body.encode(), deadline)
        except _UNREACHABLE as error:
            raise QueueUnavailable(
                _unknown(f"can't be reached ({type(error).__name__})", self.name)
            ) from error
        if status // 100 != 2:  # noqa: PLR2004 - HTTP's number
            self._refuse(status, headers, said, messages)

    def close(self) -> None:
        """End the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def before_fork(self) -> None:
        """Nothing."""

    def after_fork(self, *, child: bool) -> None:
        """Leave the connections to the parent."""
        if child:
            self.close()

    def _exchange(
        self, body: bytes, deadline: Deadline
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Post over a connection that was kept; where that has gone stale, over a new one."""
        while True:
            kept = self._kept()
            connection = kept or self._new()
            try:
                answer = connection.exchange(self._path, body, self._headers, deadline)
            except _STALE:
                connection.close()
                if kept is None:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                if connection.sock is not None and len(self._idle) < _MOST_KEPT:
                    self._idle.append(connection)
                else:
                    connection.close()
                return answer

    def _kept(self) -> _Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new(self) -> _Connection:
        return (_TLSConnection if self._tls else _Connection)(self._host, self._port)

    def _refuse(
        self,
        status: int,
        headers: http.client.HTTPMessage,
        said: bytes,
        messages: Sequence[Message],
    ) -> None:
        """Raise what a status means: the events' own fault, or the server's."""
        problem = _problem(headers, said)
        detail = str(problem.get("detail") or f"HTTP {status}")[:2000]
        match status:
            case 409:
                named = _UUID.search(detail)
                raise ConflictingEvent(UUID(named[0]) if named else messages[0].id)
            case 413:
                raise InvalidEvent([Problem("event", f"too large for the server: {detail}")])
            case 403 if problem:
                raise InvalidEvent([Problem("source", detail)])
            case 400 | 422:
                raise InvalidEvent(_problems(problem, detail))
        answered = f"answers HTTP {status}{_HINTS.get(status, '')}"
        wait = retry_after_s(headers.get("Retry-After", ""), datetime.now(UTC))
        raise QueueUnavailable(_unknown(answered, self.name), wait)


_MOVED = ": is the URL right? Redirects are not followed"
_HINTS = {401: ": the token is unknown or revoked", 404: _MOVED, 405: _MOVED} | dict.fromkeys(
    (301, 302, 303, 307, 308), _MOVED
)


def _unknown(what: str, name: str) -> str:
    return (
        f"{name} {what}; what was to be posted is not known to be. Post it again: with a "
        "source_event_id that is harmless even if it was"
    )


def _problem(headers: http.client.HTTPMessage, said: bytes) -> dict[str, Any]:
    """Return a problem document (RFC 9457); empty for anything else."""
    if headers.get_content_type() != "application/problem+json":
        return {}
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problems(problem: dict[str, Any], detail: str) -> list[Problem]:
    errors = problem.get("errors")
    found = [
        Problem(str(each.get("field", "event")), str(each.get("message", "")))
        for each in (errors if isinstance(errors, list) else [])
        if isinstance(each, dict)
    ]
    return found or [Problem("event", detail)]


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Connection(http.client.HTTPConnection):
    """A connection whose every step keeps to the deadline of its exchange."""

    deadline: Deadline

    def exchange(
        self, path: str, body: bytes, headers: dict[str, str], deadline: Deadline
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Post; return the answer's status, headers and body, and stay open where it may."""
        self.deadline = deadline
        if isinstance(self.sock, DeadlineSocket):
            self.sock.deadline = deadline
        self.request("POST", path, body, headers)
        with self.getresponse() as answer:
            return answer.status, answer.msg, answer.read()

    def connect(self) -> None:
        """Connect to the first address that answers."""
        sock = connect(look_up(self.host, self.port, self.deadline), self.deadline)
        try:
            sock = self._secured(sock)
        except BaseException:
            sock.close()
            raise
        self.sock = DeadlineSocket(sock, self.deadline, _MOST_ANSWER)

    def _secured(self, sock: Any) -> Any:
        return sock


class _TLSConnection(_Connection):
    default_port = http.client.HTTPS_PORT

    def _secured(self, sock: Any) -> Any:
        return _context().wrap_socket(sock, server_hostname=self.host)
