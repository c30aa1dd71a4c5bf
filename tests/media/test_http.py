"""Posting: what is said, what an answer means, and that connections are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import Url, parse_url

from notifier.answers import LONGEST_RETRY_AFTER_S, Answer, retry_after_s
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.http import MOST_TEXT, HTTPSession, host_of
from notifier.testing.scripted_http import Fault, Script, Site, answer, close, scripted_http
from servers.waiting import wait_until

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _this_machine(settings: Settings) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A server that answers whatever the test puts into its script."""
    script: dict[str, Script | list[Script]] = {"/ok": (answer(200),)}
    with scripted_http(script) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        yield site


def reply(site: Site, *script: bytes | Fault) -> Answer:
    """Post where a server answers so; return the answer or raise what it means."""
    site.script = {"/x": script}
    with HTTPSession() as session:
        return session.post(site.url("/x"), b"", {})


def test_it_posts_the_body_with_the_headers_and_without_compression(site: Site) -> None:
    with HTTPSession() as session:
        given = session.post(
            site.url("/ok"), b'{"a": 1}', {"Webhook-Id": "1.2", "Content-Type": "application/json"}
        )
    [request] = site.requests
    assert request.body == b'{"a": 1}'
    assert request.headers["webhook-id"] == "1.2"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{site.port}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == "8"
    assert (given.status, given.text, str(given)) == (200, "ok", "HTTP 200")


def test_a_medium_can_not_ask_for_compression(site: Site) -> None:
    with HTTPSession() as session:
        session.post(site.url("/ok"), b"", {"Accept-Encoding": "gzip"})
    assert site.requests[0].headers["accept-encoding"] == "identity"


def test_a_connection_is_kept_for_the_next_post(site: Site) -> None:
    with HTTPSession() as session:
        for _ in range(3):
            session.post(site.url("/ok"), b"x", {})
    assert (site.connections, len(site.requests)) == (1, 3)


@pytest.mark.parametrize(
    "script",
    [
        (answer(200, "Connection: close"), close),
        (answer(200, body=b"x" * (MOST_TEXT + 1)),),
    ],
)
def test_a_connection_that_is_not_at_rest_is_not_kept(site: Site, script: Script) -> None:
    site.script = {"/x": script, "/ok": (answer(200),)}
    with HTTPSession() as session:
        session.post(site.url("/x"), b"", {})
        assert session.post(site.url("/ok"), b"", {}).text == "ok"
    assert site.connections == 2


def test_a_url_is_taken_apart_once_in_a_session(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def parse(url: str) -> Url:
        parsed.append(url)
        return parse_url(url)

    monkeypatch.setattr("notifier.http.parse_url", parse)
    site.script = {"/b": (answer(200),)}
    for _ in range(2):
        with HTTPSession() as session:
            for path in ("/b", "/b", "/b#c", "/b"):
                session.post(site.url(path), b"", {})
    assert parsed == [site.url("/b"), site.url("/b#c")] * 2
    assert {request.path for request in site.requests} == {"/b"}


def test_a_connection_that_the_server_ended_meanwhile_is_not_used(site: Site) -> None:
    site.script = {"/ok": (answer(200), close)}
    with HTTPSession() as session:
        session.post(site.url("/ok"), b"", {})
        wait_until(
            lambda: not any(each.is_connected for each in session._idle.values()),
            timeout_s=5,
            what="the end of the connection",
        )
        session.post(site.url("/ok"), b"", {})
    assert site.connections == 2


def test_what_a_server_says_unasked_is_no_answer(site: Site) -> None:
    site.script = {"/x": (answer(200) + answer(200, body=b"unasked"),), "/ok": (answer(200),)}
    with HTTPSession() as session:
        for path in ("/x", "/ok", "/x", "/ok"):
            assert session.post(site.url(path), b"", {}).text == "ok"


def test_of_a_long_answer_only_the_beginning_is_read(site: Site) -> None:
    assert reply(site, answer(200, body=b"x" * 100_000)).text == "x" * MOST_TEXT


def test_an_answer_in_pieces_is_read(site: Site) -> None:
    pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert reply(site, pieces).text == "abc"


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_what_comes_before_the_answer_is_none(site: Site, status: int) -> None:
    """Taken for one, the real one would be read as that of the next message on this connection."""
    before = f"HTTP/1.1 {status} Soon\r\nLink: </style.css>\r\n\r\n".encode()
    site.script = {"/x": (before * 2, answer(503)), "/ok": (answer(200),)}
    with HTTPSession() as session:
        assert session.exchange(site.url("/x"), b"", {}).status == 503
        assert session.exchange(site.url("/ok"), b"", {}).status == 200
    assert site.connections == 1


def test_headers_that_make_no_sense_are_let_be_and_not_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert reply(site, b"HTTP/1.1 200 OK\r\nno colon\r\nX: y\r\n\r\n", close).status == 200
    assert caplog.records == []


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (101, TemporaryError, Reason.UNCLEAR),
        (300, PermanentError, Reason.REJECTED),
        (301, PermanentError, Reason.REJECTED),
        (302, PermanentError, Reason.REJECTED),
        (304, PermanentError, Reason.REJECTED),
        (307, PermanentError, Reason.REJECTED),
        (308, PermanentError, Reason.REJECTED),
        (400, PermanentError, Reason.REJECTED),
        (401, PermanentError, Reason.REJECTED),
        (403, PermanentError, Reason.REJECTED),
        (404, PermanentError, Reason.REJECTED),
        (405, PermanentError, Reason.REJECTED),
        (408, TemporaryError, Reason.SERVER_ERROR),
        (410, PermanentError, Reason.GONE),
        (413, PermanentError, Reason.TOO_LARGE),
        (422, PermanentError, Reason.REJECTED),
        (425, TemporaryError, Reason.SERVER_ERROR),
        (429, TemporaryError, Reason.RATE_LIMITED),
        (499, PermanentError, Reason.REJECTED),
        (500, TemporaryError, Reason.SERVER_ERROR),
        (501, TemporaryError, Reason.SERVER_ERROR),
        (502, TemporaryError, Reason.SERVER_ERROR),
        (503, TemporaryError, Reason.SERVER_ERROR),
        (504, TemporaryError, Reason.SERVER_ERROR),
        (599, TemporaryError, Reason.SERVER_ERROR),
        (999, TemporaryError, Reason.SERVER_ERROR),
    ],
)
def test_a_status_has_one_meaning(
    site: Site, status: int, kind: type[DeliveryError], reason: Reason
) -> None:
    with pytest.raises(DeliveryError) as caught:
        reply(site, answer(status, body=b"S3CR3T"))
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert str(status) in caught.value.answer
    assert "S3CR3T" not in f"{caught.value!r}{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 299])
def test_it_is_sent_by_any_status_of_success(site: Site, status: int) -> None:
    assert reply(site, answer(status)).status == status


@pytest.mark.parametrize("status", [204, 205])
def test_it_is_sent_by_a_success_without_a_body(site: Site, status: int) -> None:
    assert reply(site, f"HTTP/1.1 {status} None\r\nContent-Length: 0\r\n\r\n".encode()).text == ""


def test_an_answer_can_be_had_whatever_its_status(site: Site) -> None:
    site.script = {"/x": (answer(403, "X-Why: so", body=b"invalid_token"),)}
    with HTTPSession() as session:
        found = session.exchange(site.url("/x"), b"", {})
    assert (found.status, found.text, found.headers["x-why"]) == (403, "invalid_token", "so")
    assert "invalid_token" not in repr(found)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("1000000000", LONGEST_RETRY_AFTER_S),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        ("Tue, 99 Foo 2026 99:99:99 GMT", None),
        ("Tue, 24 Nov 99999999999999999999 12:00:00 GMT", None),
        ("Tue, 24 Nov 1970 12:00:00 GMT", 0),
        ("Tue, 24 Nov 1970 12:00:00 -0000", 0),
    ],
)
def test_how_long_to_wait_is_obeyed_or_ignored(
    site: Site, status: int, header: str, expected: float | None
) -> None:
    with pytest.raises(TemporaryError) as caught:
        reply(site, answer(status, f"Retry-After: {header}"))
    assert caught.value.retry_after == expected


def test_a_date_to_wait_for_is_obeyed(site: Site) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    with pytest.raises(TemporaryError) as caught:
        reply(site, answer(429, f"Retry-After: {then}"))
    assert caught.value.retry_after == pytest.approx(120, abs=5)


@given(st.text() | st.from_regex(r"[-+]?[0-9]+(\.[0-9]*)?(e[0-9]+)?") | st.floats().map(str))
def test_whatever_a_server_writes_the_wait_is_none_or_at_most_a_day(value: str) -> None:
    wait = retry_after_s(value, NOW)
    assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER_S


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1)))  # noqa: DTZ001
def test_every_date_of_http_is_read(date: datetime) -> None:
    ahead = (date.replace(microsecond=0) - NOW).total_seconds()
    expected = min(max(ahead, 0.0), LONGEST_RETRY_AFTER_S)
    assert retry_after_s(format_datetime(date, usegmt=True), NOW) == expected


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Hooks.Example/T0/S3CR3T", "hooks.example"),
        ("https://hooks.example:8443/", "hooks.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("http://[2001:4860:4860::8888]/", "[2001:4860:4860::8888]"),
        ("nonsense", ""),
        ("ftp://hooks.example/", ""),
    ],
)
def test_a_breaker_knows_a_url_by_its_host(url: str, host: str) -> None:
    assert host_of(url) == host
