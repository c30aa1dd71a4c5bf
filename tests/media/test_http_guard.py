"""No URL leads to what only this machine's network can reach."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from notifier import lookups
from notifier.addresses import REFUSED, is_public
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.http import NO_URL, HTTPSession
from notifier.testing.scripted_http import Site, answer, scripted_http

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

# fmt: off
REFUSED_ADDRESSES = [
    "127.0.0.1", "10.0.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
    "192.0.0.8", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1234::1", "fe80::1",
    "fec0::1", "fc00::1", "fd00:ec2::254", "5f00::1", "3fff::1",
    "100::1", "100:0:0:1::1", "ff02::1", "2001:db8::1", "172.16.0.1",
    "192.168.0.1", "192.0.2.1", "198.51.100.1", "168.63.129.16", "::ffff:8.8.8.8",
]
ALLOWED_ADDRESSES = ["8.8.8.8", "2001:4860:4860::8888"]
SPELLINGS = [
    "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:7f00:1]",
    "localhost", "localhost.", "LOCALHOST", "notifier.localhost", "user:pw@127.0.0.1",
    "user@8.8.8.8", ":@8.8.8.8", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[fe80::1%25lo]", "[fe80::1%25none]",
    "0", "127.0.0.1%00", "[::]", "127.0.0.1:22", "8.8.8.8:22",
    "8.8.8.8:25", "8.8.8.8:6379", "8.8.8.8:0",
]
NO_URLS = [
    "8.8.8.8/", "//8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "gopher://8.8.8.8/",
    "http:8.8.8.8", "http://", "http:///", "https://[::1", "http://8.8.8.8:99999/",
    "http://8.8.8.8:x/", "\ud800", "javascript:x",
]
# fmt: on


class Resolver:
    """Answers look-ups of names as the test says, those of addresses as the system does."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        """Answer with the next of `answers`; the last stays."""
        self.asked.append(host)
        if not self.answers:
            return list(self._real(host, port, *args, **options))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port, *rest))
            for text in found
            for family, rest in [
                (socket.AF_INET6, (0, 0)) if ":" in text else (socket.AF_INET, ()),
            ]
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """What names resolve to."""
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


@pytest.fixture
def contacted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whom anybody tries to connect to; nobody gets through."""
    found: list[Any] = []

    def connect(_sock: socket.socket, address: Any) -> None:
        found.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    return found


def failure(url: str) -> DeliveryError:
    """Return why a post failed."""
    with pytest.raises(DeliveryError) as caught, HTTPSession() as session:
        session.post(url, b"S3CR3T", {"authorization": "S3CR3T"})
    return caught.value


def is_blocked(url: str, answer: str = REFUSED) -> None:
    """Check that a post is refused for good, with the words that everything refused gets."""
    error = failure(url)
    assert type(error) is PermanentError
    assert (error.reason, error.answer) == (Reason.BLOCKED_ADDRESS, answer)
    assert error.__cause__ is None


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_no_address_of_the_table_is_contacted(
    address: str, scheme: str, resolver: Resolver, contacted: list[Any]
) -> None:
    is_blocked(f"{scheme}://[{address}]/" if ":" in address else f"{scheme}://{address}/")
    resolver.answers = [[address]]
    is_blocked(f"{scheme}://hooks.example/S3CR3T")
    assert contacted == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_such_an_address_is_contacted(spelling: str, contacted: list[Any]) -> None:
    error = failure(f"http://{spelling}/")
    assert type(error) is PermanentError
    assert error.reason is Reason.BLOCKED_ADDRESS
    assert contacted == []


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_of_a_web_server_is_refused(url: str, contacted: list[Any]) -> None:
    is_blocked(url, NO_URL)
    assert contacted == []


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES)
def test_a_public_address_is_connected_to(
    address: str, resolver: Resolver, contacted: list[Any]
) -> None:
    resolver.answers = [[address]]
    error = failure("https://hooks.example/")
    assert (type(error), error.reason) == (TemporaryError, Reason.CONNECTION)
    assert [each[:2] for each in contacted] == [(address, 443)]
    assert is_public(ip_address(address))


@pytest.mark.parametrize("private", ["10.0.0.1", "::1"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_private_answer_among_public_ones_is_enough(
    private: str, order: int, resolver: Resolver, contacted: list[Any]
) -> None:
    resolver.answers = [["8.8.8.8", private][::order]]
    is_blocked("https://hooks.example/")
    assert contacted == []


def test_a_name_that_changes_its_answer_leads_only_to_the_checked_one(
    resolver: Resolver, contacted: list[Any]
) -> None:
    resolver.answers = [["8.8.8.8"], ["127.0.0.1"]]
    failure("https://hooks.example/")
    assert contacted == [("8.8.8.8", 443)]
    is_blocked("https://hooks.example/")
    assert contacted == [("8.8.8.8", 443)]
    assert resolver.asked == ["hooks.example"] * 2


def test_of_a_hosts_many_addresses_two_of_each_family_are_tried(
    resolver: Resolver, contacted: list[Any]
) -> None:
    resolver.answers = [
        [f"2001:4860::{number}" for number in range(100)]
        + [f"8.8.8.{number}" for number in range(100)]
    ]
    failure("https://hooks.example/")
    tried = [each[0] for each in contacted]
    assert tried == ["2001:4860::0", "2001:4860::1", "8.8.8.0", "8.8.8.1"]


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A server on this machine, which may be contacted."""
    with scripted_http({"/ok": (answer(200),)}) as site:
        settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8", "10.20.0.0/16"]
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        yield site


def test_an_operator_can_allow_networks_and_ports(site: Site) -> None:
    with HTTPSession() as session:
        assert session.post(site.url("/ok"), b"", {}).text == "ok"


def test_what_an_operator_did_not_allow_stays_refused(site: Site, settings: Settings) -> None:
    is_blocked(f"http://[::ffff:127.0.0.1]:{site.port}/ok")
    is_blocked(f"http://10.21.0.1:{site.port}/ok")
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = []
    is_blocked(site.url("/ok"))
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = []
    is_blocked(site.url("/ok"))
    assert site.connections == 0


def test_the_urls_own_name_is_told_to_the_server(site: Site, resolver: Resolver) -> None:
    resolver.answers = [["127.0.0.1"]]
    with HTTPSession() as session:
        session.post(site.url("/ok", host="hooks.example"), b"", {})
    assert site.requests[0].headers["host"] == f"hooks.example:{site.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(site: Site, status: int) -> None:
    with scripted_http({}) as target:
        site.script = {"/x": (answer(status, f"Location: {target.url('/S3CR3T')}"),)}
        error = failure(site.url("/x"))
        assert (type(error), error.reason) == (PermanentError, Reason.REJECTED)
        assert "S3CR3T" not in str(error)
        assert (target.connections, target.requests) == (0, [])


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"])
def test_the_environments_proxy_is_not_used(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_http({}) as proxy:
        monkeypatch.setenv(name, proxy.url(""))
        with HTTPSession() as session:
            session.post(site.url("/ok"), b"", {})
        is_blocked("http://10.0.0.1/")
        assert (site.connections, proxy.connections) == (1, 0)


def test_an_open_port_of_a_refused_host_looks_like_a_closed_one(
    site: Site, settings: Settings
) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port, port := closed.getsockname()[1]]
        both = [failure(site.url("/ok")), failure(f"http://127.0.0.1:{port}/ok")]
    assert [vars(each) for each in both] == [vars(both[0])] * 2
    assert site.connections == 0


@pytest.mark.parametrize("error", [socket.gaierror(-2, "S3CR3T"), UnicodeError("S3CR3T")])
def test_a_name_that_is_not_known_may_be_tomorrow(
    error: Exception, monkeypatch: pytest.MonkeyPatch, contacted: list[Any]
) -> None:
    def unknown(*_args: Any, **_options: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = failure("https://hooks.example/S3CR3T")
    assert (type(found), found.reason) == (TemporaryError, Reason.CONNECTION)
    assert "S3CR3T" not in repr(found)
    assert contacted == []


def test_a_resolver_that_hangs_holds_nobody_longer_than_the_limit(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = 0.2
    monkeypatch.setattr(lookups, "_lookups", threading.BoundedSemaphore(3))
    going = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, *args: Any, **options: Any) -> Any:
        if host == "slow.example":
            going.wait(30)
            raise socket.gaierror(-3, "later")
        return real(host, *args, **options)

    with ExitStack() as ending:
        ending.callback(going.set)
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        start = time.monotonic()
        for _ in range(5):  # three look-ups hang, then two find no room
            error = failure("https://slow.example/")
            assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)
        assert time.monotonic() - start < 5
        hanging = [each for each in threading.enumerate() if each.name == "look-up"]
        assert len(hanging) == 3
        assert all(each.daemon for each in hanging)
    for each in hanging:
        each.join()
    with HTTPSession() as session:
        assert session.post(site.url("/ok"), b"", {}).status == 200


@how(deadline=None)  # each starts a thread, on a machine that is busy
@given(st.text() | st.text().map("http://{}".format) | st.text().map("https://8.8.8.8:{}".format))
def test_whatever_a_user_writes_is_refused_in_our_words(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _nobody)
        error = failure(url)
    assert error.answer in {NO_URL, REFUSED, "not sent (gaierror)"}


def _nobody(*_args: Any, **_options: Any) -> Any:
    raise socket.gaierror(-2, "unknown")


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_nothing_is_public_that_python_itself_calls_reserved(address: Any) -> None:
    if address.is_private or address.is_reserved or address.is_multicast or address.is_loopback:
        assert not is_public(address)
