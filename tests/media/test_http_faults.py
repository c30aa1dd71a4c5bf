"""Whatever a web server does, a post ends in time, with the right meaning."""

from __future__ import annotations

import gc
import logging
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from notifier import connections, http
from notifier.deadlines import Address, Deadline, connect
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.http import HTTPSession
from notifier.testing.scripted_http import (
    Fault,
    Script,
    Site,
    answer,
    close,
    drip,
    hang,
    huge,
    promise,
    reset,
    scripted_http,
    sip,
)

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

LIMIT_S = 0.5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n"
SECRET = "S3CR3T"


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = LIMIT_S
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]


def fail(
    settings: Settings,
    script: dict[str, Script | list[Script]],
    *,
    tls: ssl.SSLContext | None = None,
    body: bytes = b"{}",
) -> DeliveryError:
    """Post to a server that does so; return why that failed, in time."""
    with scripted_http(script, tls) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        start = time.monotonic()
        with pytest.raises(DeliveryError) as caught, HTTPSession() as session:
            session.post(site.url(f"/{SECRET}", host="localhost"), body, {"x": SECRET})
        took_s = time.monotonic() - start
    error = caught.value
    assert took_s < LIMIT_S + 0.5
    assert SECRET not in f"{error!r}{error}{error.answer}"
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ((b"\x16\x03\x03\x3f\xff", drip), Reason.TIMEOUT),
        ((hang,), Reason.TIMEOUT),
        ((close,), Reason.CONNECTION),
        ((reset,), Reason.CONNECTION),
        ((answer(200),), Reason.TLS),
    ],
)
def test_a_tls_handshake_that_fails_is_nothing_sent(
    script: Script, reason: Reason, settings: Settings
) -> None:
    error = fail(settings, {"connect": script}, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert (type(error), error.reason) == (TemporaryError, reason)


@pytest.mark.parametrize(
    "script",
    [
        (hang,),
        (close,),
        (reset,),
        (drip,),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", drip),
        (b"HTTP/1.1 200 OK\r\nContent-Le", reset),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",),
        (b"SSH-2.0-OpenSSH_9.2\r\n", close),
        (b"HTTP/1.1 abc\r\n\r\n", close),
        (huge,),
    ],
)
def test_without_a_whole_answer_it_is_unclear_whether_it_was_taken(
    script: Script, settings: Settings
) -> None:
    error = fail(settings, {f"/{SECRET}": script})
    assert (type(error), error.reason) == (TemporaryError, Reason.UNCLEAR)


@pytest.mark.parametrize(
    "body",
    [
        (hang,),
        (drip,),
        (close,),
        (reset,),
        (huge,),
    ],
)
@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_once_the_headers_are_there_the_body_changes_nothing(
    body: Script, length: bytes, settings: Settings
) -> None:
    for status, taken in ((200, True), (410, False)):
        head = f"HTTP/1.1 {status} Said\r\n".encode() + length + b"\r\n"
        with scripted_http({"/x": (head, *body)}) as site, HTTPSession() as session:
            settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
            start = time.monotonic()
            if taken:
                assert session.post(site.url("/x"), b"", {}).status == status
            else:
                with pytest.raises(PermanentError) as caught:
                    session.post(site.url("/x"), b"", {})
                assert caught.value.reason is Reason.GONE
            assert time.monotonic() - start < LIMIT_S + 0.5


def test_an_answer_that_is_promised_without_end_is_not_waited_for(settings: Settings) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = 30
    with scripted_http({"/x": (promise,)}) as site, HTTPSession() as session:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        start = time.monotonic()
        with pytest.raises(TemporaryError) as caught:
            session.post(site.url("/x"), b"", {})
        assert caught.value.reason is Reason.UNCLEAR
        assert time.monotonic() - start < 5


def test_the_body_of_an_answer_has_a_limit_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = 30
    monkeypatch.setattr(http, "BODY_LIMIT_S", 0.2)
    with scripted_http({"/x": (HEAD + b"\r\n", drip)}) as site, HTTPSession() as session:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        start = time.monotonic()
        session.post(site.url("/x"), b"", {})
        assert time.monotonic() - start < 5


def test_a_request_that_was_not_read_to_its_end_was_not_sent(settings: Settings) -> None:
    error = fail(settings, {"head": (reset,)}, body=b"x" * 50_000_000)
    assert (type(error), error.reason) == (TemporaryError, Reason.CONNECTION)


@pytest.mark.parametrize("fault", [hang, sip])
def test_a_server_that_does_not_read_is_left_in_time(fault: Fault, settings: Settings) -> None:
    error = fail(settings, {"head": (fault,)}, body=b"x" * 50_000_000)
    assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)


def test_a_refusal_before_the_body_is_read_is_heard(settings: Settings) -> None:
    error = fail(settings, {"head": (answer(413), reset)}, body=b"x" * 50_000_000)
    assert (type(error), error.reason) == (PermanentError, Reason.TOO_LARGE)


def test_a_connection_that_is_refused_is_nothing_sent(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [port := closed.getsockname()[1]]
        with pytest.raises(TemporaryError) as caught, HTTPSession() as session:
            session.post(f"http://127.0.0.1:{port}/", b"", {})
    assert caught.value.reason is Reason.CONNECTION


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full: further ones hang."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(silent.getsockname())
        yield silent.getsockname()[1]


def test_a_host_that_takes_no_connections_is_left_in_time(
    silent_port: int, settings: Settings
) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = [silent_port]
    start = time.monotonic()
    with pytest.raises(TemporaryError) as caught, HTTPSession() as session:
        session.post(f"http://127.0.0.1:{silent_port}/", b"", {})
    assert caught.value.reason is Reason.TIMEOUT
    assert time.monotonic() - start < LIMIT_S + 0.5


def test_a_silent_address_leaves_time_for_the_next(silent_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = Address(socket.AF_INET, ("127.0.0.1", silent_port))
        open_one = Address(socket.AF_INET, server.getsockname())
        with connect([silent, open_one], Deadline(LIMIT_S)) as found:
            assert found.getpeername() == server.getsockname()


def test_the_other_posts_of_a_session_do_not_hear_of_a_fault(settings: Settings) -> None:
    script: dict[str, Script | list[Script]] = {"/ok": (answer(200),)}
    faults = {f"/{fault.__name__}": (fault,) for fault in (reset, close, drip, huge)}
    with scripted_http(script | faults) as site, HTTPSession() as session:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        for path in faults:
            with pytest.raises(TemporaryError):
                session.post(site.url(path), b"", {})
            assert session.post(site.url("/ok"), b"", {}).text == "ok"


def test_an_answer_of_a_gb_costs_no_memory_and_no_open_connection(settings: Settings) -> None:
    with scripted_http({"/x": (HEAD + b"\r\n", huge)}) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with HTTPSession() as session:
            for _ in range(20):
                session.post(site.url("/x"), b"", {})
        after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kb - before_kb < 10 * 1024
    gc.collect()  # what was left open would be told as an error here


# --- certificates


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """A certificate authority that this machine trusts for the moment."""
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    connections._tls.cache_clear()
    yield found
    connections._tls.cache_clear()


def serving(authority: trustme.CA, *names: str, until: datetime | None = None) -> ssl.SSLContext:
    """Return a server's TLS with a certificate for some names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context


def test_a_certificate_for_the_urls_name_is_taken(
    authority: trustme.CA, settings: Settings
) -> None:
    tls = serving(authority, "localhost")
    with scripted_http({"/ok": (answer(200),)}, tls) as site, HTTPSession() as session:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        for _ in range(2):
            assert session.post(site.url("/ok", host="localhost"), b"", {}).text == "ok"
        assert site.connections == 1


def test_a_server_that_reads_slowly_over_tls_is_left_in_time(
    authority: trustme.CA, settings: Settings
) -> None:
    tls = serving(authority, "localhost")
    error = fail(settings, {"head": (sip,)}, tls=tls, body=b"x" * 50_000_000)
    assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)


def refused(site: Site, settings: Settings) -> DeliveryError:
    """Post to `localhost` over TLS; return why that failed."""
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
    with pytest.raises(DeliveryError) as caught, HTTPSession() as session:
        session.post(site.url("/ok", host="localhost"), b"", {})
    assert (type(caught.value), caught.value.reason) == (TemporaryError, Reason.TLS)
    assert "localhost" not in str(caught.value)
    assert site.requests == []
    return caught.value


@pytest.mark.parametrize(
    ("names", "days", "why"),
    [
        (["localhost"], -1, "certificate has expired"),
        (["hooks.example"], 1, "Hostname mismatch"),
        (["127.0.0.1"], 1, "Hostname mismatch"),
    ],
)
def test_a_wrong_certificate_is_refused_and_nothing_sent(
    names: list[str], days: int, why: str, authority: trustme.CA, settings: Settings
) -> None:
    tls = serving(authority, *names, until=datetime.now(UTC) + timedelta(days=days))
    with scripted_http({}, tls) as site:
        assert refused(site, settings).answer == f"the certificate was refused: {why}"


def test_a_certificate_by_a_stranger_is_refused(settings: Settings) -> None:
    with scripted_http({}, serving(trustme.CA(), "localhost")) as site:
        refused(site, settings)


def test_nothing_is_logged_of_a_url_or_a_token(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for script in ((answer(200),), (answer(404),), (reset,), (b"HTTP/1.1 200 OK\r\nx\r\n\r\n",)):
        with scripted_http({f"/{SECRET}": script}) as site, HTTPSession() as session:
            settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
            with suppress(DeliveryError):
                session.post(site.url(f"/{SECRET}"), b"", {"x": SECRET})
            assert "127.0.0.1" not in repr(session)
    assert caplog.records == []
