"""The bare client over HTTP, against servers that answer as ours does, and as none should."""

from __future__ import annotations

import json
import logging
import os
import ssl
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import trustme

from notifier.client import Notifier, over_http
from notifier.client.over_http import LIMIT_S
from notifier.errors import ConflictingEvent, InvalidEvent, QueueUnavailable
from notifier.ids import event_id_for
from notifier.testing.scripted_http import (
    Script,
    Site,
    answer,
    close,
    drip,
    hang,
    huge,
    reset,
    scripted_http,
)
from servers.process import free_port

TOKEN = "nts_S3CR3T"
PATH = "/api/v1/events"
TAKEN = (answer(202, body=b'{"id": "x", "repeated": false}'),)


def notifier_of(site: Site, path: str = "/") -> Notifier:
    return Notifier(site.url(path), source="shop", token=TOKEN)


def problem(status: int, **document: Any) -> Script:
    body = json.dumps({"title": "x", "status": status, **document}).encode()
    return (answer(status, "Content-Type: application/problem+json", body=body),)


def test_an_event_is_one_request_with_the_token() -> None:
    with scripted_http({PATH: TAKEN}) as site, notifier_of(site) as notifier:
        found = notifier.send("Order shipped", tags={"a": "b"}, source_event_id="7")
    [request] = site.requests
    assert found == event_id_for("shop", "7")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "description": "Order shipped",
        "tags": {"a": "b"},
        "source": "shop",
        "source_event_id": "7",
    }


def test_an_event_without_a_name_gets_one_so_that_its_repeats_are_known() -> None:
    with scripted_http({PATH: TAKEN}) as site, notifier_of(site) as notifier:
        found = [notifier.send("x") for _ in range(2)]
    names = [json.loads(each.body)["source_event_id"] for each in site.requests]
    assert found == [event_id_for("shop", name) for name in names]
    assert len(set(found)) == 2


def test_many_are_one_request_in_their_order() -> None:
    with scripted_http({PATH: TAKEN}) as site, notifier_of(site) as notifier:
        found = notifier.send_many({"description": str(number)} for number in range(3))
        assert notifier.send_many([]) == []
    [request] = site.requests
    events = json.loads(request.body)
    assert [each["description"] for each in events] == ["0", "1", "2"]
    assert found == [event_id_for("shop", each["source_event_id"]) for each in events]


@pytest.mark.parametrize("given", ["/notifier", "/notifier/", "/notifier/api/v1/events"])
def test_a_server_may_be_mounted_below_a_path(given: str) -> None:
    with scripted_http({f"/notifier{PATH}": TAKEN}) as site, notifier_of(site, given) as notifier:
        notifier.send("x")
    assert len(site.requests) == 1


def test_a_connection_is_kept_and_made_anew_where_it_has_gone_stale() -> None:
    stale: list[Script] = [TAKEN, TAKEN, (*TAKEN, close), TAKEN, TAKEN]
    with scripted_http({PATH: stale}) as site, notifier_of(site) as notifier:
        for _ in range(5):
            notifier.send("x")
            time.sleep(0.05)
    assert (len(site.requests), site.connections) == (5, 2)


def test_what_the_server_says_of_each_field_is_raised() -> None:
    said = [{"field": "recipients[0]", "message": "nobody is called ann"}]
    with (
        scripted_http({PATH: problem(422, errors=said)}) as site,
        notifier_of(site) as notifier,
        pytest.raises(InvalidEvent, match=r"^recipients\[0\]: nobody is called ann$"),
    ):
        notifier.send("x", recipients=["ann"])


def test_a_name_used_for_another_event_is_raised() -> None:
    event_id = uuid.uuid4()
    script = problem(409, detail=f"source_event_id: event {event_id} was accepted before")
    with (
        scripted_http({PATH: script}) as site,
        notifier_of(site) as notifier,
        pytest.raises(ConflictingEvent) as raised,
    ):
        notifier.send_many([{"description": "x"}, {"description": "y"}])
    assert raised.value.event_id == event_id


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ((answer(413),), "event: too large for the server: HTTP 413"),
        (problem(403, detail="This token is another's"), "source: This token is another's"),
        ((answer(400),), "event: HTTP 400"),
        (problem(422, errors="nonsense", detail="so"), "event: so"),
        ((answer(422, "Content-Type: application/problem+json", body=b"{"),), "event: HTTP 422"),
    ],
)
def test_what_is_the_events_own_fault_is_raised_as_such(script: Script, sentence: str) -> None:
    with (
        scripted_http({PATH: script}) as site,
        notifier_of(site) as notifier,
        pytest.raises(InvalidEvent) as refused,
    ):
        notifier.send("x")
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("script", "said", "wait"),
    [
        ((answer(503, "Retry-After: 7"),), "answers HTTP 503;", 7.0),
        ((answer(429),), "answers HTTP 429;", None),
        ((answer(500),), "answers HTTP 500;", None),
        ((answer(401),), "answers HTTP 401: the token is unknown or revoked;", None),
        ((answer(403),), "answers HTTP 403;", None),
        ((answer(404),), "answers HTTP 404: is the URL right?", None),
        ((answer(301, "Location: /"),), "answers HTTP 301: is the URL right?", None),
        ((reset,), r"can't be reached \(ConnectionResetError\);", None),
        ((close,), r"can't be reached \(RemoteDisconnected\);", None),
        ((b"SSH-2.0-x\r\n", close), r"can't be reached \(BadStatusLine\);", None),
        ((b"HTTP/1.1 200 OK\r\n\r\n", huge), r"can't be reached \(OSError\);", None),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", close), r"\(IncompleteRead\);", None),
    ],
)
def test_what_is_not_the_events_fault_may_be_posted_again(
    script: Script, said: str, wait: float | None
) -> None:
    with (
        scripted_http({PATH: script}) as site,
        notifier_of(site) as notifier,
        pytest.raises(QueueUnavailable, match=said) as raised,
    ):
        notifier.send("x")
    assert raised.value.retry_after_s == wait
    assert str(raised.value).endswith("with a source_event_id that is harmless even if it was")
    assert TOKEN not in repr((raised.value, raised.value.__cause__))


@pytest.mark.parametrize(
    "script",
    [
        {PATH: (hang,)},
        {PATH: (b"HTTP/1.1 200 OK\r\nX: ", drip)},
        {PATH: (b"HTTP/1.1 200 OK\r\n\r\n", drip)},
        {"connect": (hang,)},
    ],
    ids=["hangs", "slow headers", "slow body", "takes the connection and nothing else"],
)
def test_a_slow_server_holds_nobody_longer_than_the_limit(script: dict[str, Script]) -> None:
    with scripted_http(script) as site, notifier_of(site) as notifier:
        start = time.monotonic()
        with pytest.raises(QueueUnavailable, match=r"can't be reached \(TimeoutError\)"):
            notifier.send("x")
        assert LIMIT_S - 0.5 < time.monotonic() - start < LIMIT_S + 1


def test_a_resolver_that_hangs_holds_nobody_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hang(*_args: object, **_options: object) -> list[object]:
        time.sleep(6)
        return []

    monkeypatch.setattr("socket.getaddrinfo", hang)
    notifier = Notifier("https://notifier.example/", source="shop", token=TOKEN)
    start = time.monotonic()
    with pytest.raises(QueueUnavailable, match="TimeoutError"):
        notifier.send("x")
    assert time.monotonic() - start < LIMIT_S + 1


def test_nothing_listens() -> None:
    notifier = Notifier(f"http://127.0.0.1:{free_port()}", source="shop", token=TOKEN)
    with pytest.raises(QueueUnavailable, match=r"^http://127\.0\.0\.1:\d+ can't be reached"):
        notifier.send("x")


def test_a_certificate_is_always_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    known = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(known))
    over_http._context.cache_clear()
    with scripted_http({PATH: TAKEN}, tls) as site, notifier_of(site) as notifier:
        with pytest.raises(QueueUnavailable, match="SSLCertVerificationError"):
            notifier.send("x")
        over_http._context.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(known))
        notifier.send("x")
    over_http._context.cache_clear()
    assert len(site.requests) == 1


def test_a_fork_makes_connections_of_its_own() -> None:
    with scripted_http({PATH: TAKEN}) as site, notifier_of(site) as notifier:
        notifier.send("parent")
        child = os.fork()
        if child == 0:
            try:
                notifier.send("child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        notifier.send("parent again")
    assert site.connections == 2  # one each
    assert len(site.requests) == 3


def test_the_token_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted_http({PATH: (answer(401),)}) as site, notifier_of(site) as notifier:
        with pytest.raises(QueueUnavailable) as raised:
            notifier.send("x")
        shown = [repr(notifier), repr(notifier._transport), str(raised.value), caplog.text]
    assert "S3CR3T" not in "".join(shown)


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("https://n.example", {"source": "shop"}, "https:// needs token, a source's"),
        ("https://n.example", {"source": "shop", "token": "a\nb"}, "https:// needs token"),
        ("https://n.example", {"token": "a"}, "https:// needs source"),
        ("https://u:p@n.example", {"source": "shop", "token": "a"}, "url must be like https://"),
        ("https://", {"source": "shop", "token": "a"}, "url must be like https://"),
        ("https://n.example?a=b", {"source": "shop", "token": "a"}, "url must be like"),
        ("https://n.example", {"token": "a", "master": "m"}, "master is for sentinel://"),
        ("redis://localhost", {"token": "a"}, "token is for https://"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_once(
    url: str, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Notifier(url, **options)  # type: ignore[arg-type]


def test_over_http_the_token_says_who_posts() -> None:
    notifier = Notifier("https://n.example", source="shop", token=TOKEN)
    with pytest.raises(InvalidEvent, match=r"^source: leave it out: the token says who posts$"):
        notifier.send("x", source="bank")
