"""Web servers that misbehave under the running system: each fails in its own way, and nobody else."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme
from django.utils import timezone

from notifier.client import Notifier
from notifier.errors import Reason
from notifier.models import Delivery, DestinationConfig
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
from tests.acceptance.stack import Stack, eventually
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

SECRET = "S3CR3T"
PLUGINS = ["notifier.media.email.EmailNotification", "tests.plugins.HastyPosting"]
OK = (answer(200),)
AN_HOUR_S = 3600
IN_AN_HOUR = "{in an hour}"
"""Filled in when the server starts: these lines may be read long before."""


@dataclass(frozen=True)
class Server:
    """What a server does at each post, how its row ends, and the reason of each try ("" is sent)."""

    script: Script | list[Script]
    state: str
    tries: tuple[str, ...]
    waits_s: int = 0


SERVERS = {
    "429": Server((answer(429, "Retry-After: 3600"),), "pending", ("rate_limited",), AN_HOUR_S),
    "429-date": Server(
        (answer(429, f"Retry-After: {IN_AN_HOUR}"),), "pending", ("rate_limited",), AN_HOUR_S
    ),
    "503": Server((answer(503, "Retry-After: 3600"),), "pending", ("server_error",), AN_HOUR_S),
    "500": Server((answer(500),), "failed", ("server_error",) * 2),
    "500-once": Server([(answer(500),), OK], "sent", ("server_error", "")),
    "301": Server((answer(301, "Location: /target"),), "failed", ("rejected",)),
    "404": Server((answer(404),), "failed", ("rejected",)),
    "410": Server((answer(410),), "failed", ("gone",)),
    "413": Server((answer(413),), "failed", ("too_large",)),
    "hang": Server([(hang,), OK], "sent", ("unclear", "")),
    "slow-headers": Server([(b"HTTP/1.1 200 OK\r\nX: ", drip), OK], "sent", ("unclear", "")),
    "reset": Server([(reset,), OK], "sent", ("unclear", "")),
    "nonsense": Server([(b"SSH-2.0-x\r\n", close), OK], "sent", ("unclear", "")),
    "huge": Server((b"HTTP/1.1 200 OK\r\n\r\n", huge), "sent", ("",)),
    "slow-body": Server((b"HTTP/1.1 200 OK\r\n\r\n", drip), "sent", ("",)),
    # last, behind all that is slow
    **{f"ok-{number}": Server(OK, "sent", ("",)) for number in range(10)},
}


def _dated(script: Script | list[Script]) -> Script | list[Script]:
    """Fill in what time it is in an hour."""
    if isinstance(script, list):
        return script
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=AN_HOUR_S)
    date = format_datetime(then, usegmt=True).encode()
    return tuple(
        each.replace(IN_AN_HOUR.encode(), date) if isinstance(each, bytes) else each
        for each in script
    )


@pytest.fixture
def site() -> Iterator[Site]:
    """All of these servers: each has a host name of its own on this machine."""
    with scripted_http(
        {f"/{SECRET}/{name}": _dated(each.script) for name, each in SERVERS.items()}
    ) as site:
        yield site


@pytest.fixture
def impostor() -> Iterator[Site]:
    """A server with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("cert.localhost").configure_cert(context)
    with scripted_http({}, context) as site:
        yield site


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield int(closed.getsockname()[1])


@pytest.fixture
def urls(site: Site, impostor: Site, closed_port: int) -> dict[str, str]:
    """Where each of the servers is, and three more that can't be posted to."""
    return {
        **{name: site.url(f"/{SECRET}/{name}", host=f"{name}.localhost") for name in SERVERS},
        "cert": impostor.url(f"/{SECRET}/cert", host="cert.localhost"),
        "closed": f"http://closed.localhost:{closed_port}/{SECRET}",
        "private": f"http://10.0.0.1:{site.port}/{SECRET}",
    }


@pytest.fixture
def everybody(
    urls: dict[str, str], django_user_model: type[User], settings: Settings, token: str
) -> None:
    """A user with one destination for each of them, who wants every event of the shop."""
    settings.MEDIA_PLUGINS = PLUGINS
    for name, url in urls.items():
        user = django_user_model.objects.create_user(name)
        destination = DestinationConfig(
            user=user, media_id="posting", settings={"url": url}, label=name
        )
        destination.full_clean(exclude=["fingerprint"])
        destination.save()
        add_profile(user, {"sources": ["shop"]}, destination)


@pytest.fixture
def posting(stack: Stack, everybody: None, urls: dict[str, str]) -> Stack:
    """The system, with the medium that posts."""
    stack.env |= {
        "MEDIA_PLUGINS": ",".join(PLUGINS),
        "NOTIFIER_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFIER_HTTP_ALLOWED_PORTS": ",".join({str(urlsplit(url).port) for url in urls.values()}),
    }
    stack.worker("events", "events", "maintenance")
    stack.worker("posting", "media.posting")
    stack.beat()
    stack.setup()
    return stack


def at_rest() -> bool:
    """Whether every row has ended or waits for a later time."""
    unfinished = Delivery.objects.filter(state__in=("pending", "sending"))
    later = timezone.now() + dt.timedelta(minutes=5)
    waiting = unfinished.filter(state="pending", due_at__gt=later)
    return Delivery.objects.exists() and unfinished.count() == waiting.count()


def reasons(delivery: Delivery) -> tuple[str, ...]:
    """Return how each try ended."""
    return tuple(delivery.tries.values_list("reason", flat=True))


def test_each_server_fails_in_its_own_way_and_nobody_else_waits_for_it(
    posting: Stack, site: Site, impostor: Site, urls: dict[str, str]
) -> None:
    posted_at_s = time.monotonic()
    Notifier(posting.redis.url, source="shop").send("to all")
    eventually(at_rest, "the end of every row, or its wait", 60)

    rows = {row.destination_label: row for row in Delivery.objects.all()}
    assert rows.keys() == urls.keys()
    assert {name: (rows[name].state, reasons(rows[name])) for name in rows} == {
        **{name: (server.state, server.tries) for name, server in SERVERS.items()},
        "cert": ("failed", (Reason.TLS,) * 2),
        "closed": ("failed", (Reason.CONNECTION,) * 2),
        "private": ("failed", (Reason.BLOCKED_ADDRESS,)),
    }
    assert (rows["429"].attempts, rows["503"].attempts) == (0, 1)
    gone = DestinationConfig.objects.exclude(disabled_at=None)
    assert list(gone.values_list("label", "disabled_reason")) == [("410", "gone")]
    for name, server in SERVERS.items():
        ahead_s = (rows[name].due_at - timezone.now()).total_seconds()
        assert server.waits_s - 120 < ahead_s < server.waits_s + 5

    told: dict[str, list[str]] = defaultdict(list)
    for request in site.requests:
        name = request.path.rpartition("/")[2]
        told[name].append(request.headers["webhook-id"])
        if name.startswith("ok-"):
            assert request.at_s - posted_at_s < 10
    assert told == {name: [rows[name].message_key] * len(reasons(rows[name])) for name in SERVERS}
    assert impostor.requests == []
    assert all(worker.container.status == "running" for worker in posting.workers)
    assert not [each for each in posting.workers if SECRET in each.logs()]
