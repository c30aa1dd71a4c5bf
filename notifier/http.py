"""Posting by HTTP: what media that end in a web server send with.

Users write the URLs. So the name is looked up once, every address is checked and the checked one
is connected to; redirects and the environment's proxies are not followed; TLS is always verified;
a total deadline holds at the socket; of the answer a few KB are read; and no error, log line or
`repr` holds a URL.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NoReturn, Self

from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from notifier import conf
from notifier.addresses import PORTS, check_port, refuse_literal
from notifier.answers import Answer
from notifier.connections import Connection, Origin, connection_to
from notifier.deadlines import Deadline
from notifier.errors import PermanentError, Reason, TemporaryError

BODY_LIMIT_S = 5.0
"""For the body of an answer, whose headers have said what counts."""
MOST_TEXT = 8 * 1024
"""Bytes of an answer's body that are read."""
NO_URL = (
    "this is no URL to post to: it must be https://host/… or http://host/…, without a user name"
)

_BROKEN = (OSError, http.client.HTTPException, HTTPError)


class HTTPSession:
    """Connections for a batch, one for each server at a time, kept open in between.

    A medium's `session()` returns one; a post takes at most `NOTIFIER_SEND_TIMEOUT_S`, from looking
    the name up to the last byte read. Threads may share it.
    """

    def __init__(self) -> None:
        self._idle: dict[Origin, Connection] = {}
        self._targets: dict[str, tuple[Origin, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        while self._idle:
            self._idle.popitem()[1].close()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post, and return the answer; raise `DeliveryError` unless its status is 2xx."""
        answer = self.exchange(url, body, headers)
        answer.raise_for_status()
        return answer

    def exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post, and return the answer whatever its status; raise `DeliveryError` without one.

        For media of providers that say in the body what went wrong.
        """
        deadline = Deadline(conf.SEND_TIMEOUT_S())
        if url not in self._targets:
            parts = _parse(url)
            self._targets[url] = _origin(parts), parts.request_uri
        origin, target = self._targets[url]
        connection = self._idle.pop(origin, None) or connection_to(origin)
        with ExitStack() as ending:
            ending.callback(connection.close)
            _open(connection, deadline)
            written = _write(connection, target, body, headers)
            answer, whole = _read(connection, written=written)
            if whole and self._idle.setdefault(origin, connection) is connection:
                ending.pop_all()
        return answer


def host_of(url: str) -> str:
    """Return the host of a URL as a breaker would name it, empty where there is none."""
    try:
        return str(_parse(url).host)
    except PermanentError:
        return ""


def accepted(url: str) -> str:
    """Return a URL as it is to be kept; raise `PermanentError` where it can never be posted to.

    Asks no resolver: where a name leads is known when it is posted to, and may change.
    """
    parts = _parse(url)
    origin = _origin(parts)
    refuse_literal(origin.host)
    port = None if origin.port == PORTS[origin.scheme] else origin.port
    return parts._replace(port=port, fragment=None).url


def _parse(url: str) -> Url:
    try:
        parts = parse_url(url)
    except (LocationParseError, UnicodeError):
        parts = Url()
    # a zone (fe80::1%eth0) names this machine's own links
    if parts.scheme not in PORTS or not parts.host or parts.auth is not None or "%" in parts.host:
        raise PermanentError(Reason.BLOCKED_ADDRESS, NO_URL)
    return parts


def _origin(parts: Url) -> Origin:
    scheme, host = str(parts.scheme), str(parts.host)
    port = PORTS[scheme] if parts.port is None else parts.port
    check_port(port)
    return Origin(scheme, host.strip("[]"), port)


def _open(connection: Connection, deadline: Deadline) -> None:
    """Connect, unless the connection still stands; what goes wrong here was not sent."""
    try:
        connection.ready(deadline)
    except _BROKEN as error:
        _not_sent(error)


def _write(connection: Connection, target: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Write the request; return whether the other side may have all of it."""
    sent = {"user-agent": "Notifier", **{name.lower(): headers[name] for name in headers}}
    sent["accept-encoding"] = "identity"
    try:
        connection.post(target, body, sent)
    except (BrokenPipeError, ConnectionResetError):
        return False  # a server may refuse a request before it has read all of it, and say why
    except OSError as error:
        _not_sent(error)
    return True


def _not_sent(error: Exception) -> NoReturn:
    reason, answer = Reason.CONNECTION, f"not sent ({type(error).__name__})"
    match error:
        case TimeoutError():
            reason, answer = Reason.TIMEOUT, "not sent in time"
        case ssl.SSLCertVerificationError():
            # what follows the comma names the host
            why = error.verify_message.partition(",")[0]
            reason, answer = Reason.TLS, f"the certificate was refused: {why}"
        case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError):
            reason, answer = Reason.TLS, "not sent: TLS failed"
    raise TemporaryError(reason, answer) from None


def _read(connection: Connection, *, written: bool) -> tuple[Answer, bool]:
    """Read the answer; return it, and whether the connection can be used again.

    Once the headers are there, the status is the answer: a body that breaks off changes nothing.
    """
    try:
        response = connection.answer()
    except _BROKEN as error:
        if not written:
            _not_sent(error)
        raise TemporaryError(Reason.UNCLEAR, "sent, but no answer came") from None
    connection.limited.deadline = connection.limited.deadline.within(BODY_LIMIT_S)
    try:
        text = response.read(MOST_TEXT).decode("utf-8", "replace")
    except _BROKEN:
        text = ""
    whole = response.isclosed() and connection.sock is not None
    response.close()
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    return Answer(response.status, headers, text), whole
