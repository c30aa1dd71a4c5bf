"""What the media that post may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import redis

from notifier.delivering import claiming
from notifier.testing.scripted_http import Script, Site, answer, scripted_http
from servers.redis import RedisServer
from tests.media.posted import SECRET
from tests.recording import RecordingQueue
from worker.rate_limits import RedisLimiter

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Site]:
    """A server on this machine that may be posted to; it takes what comes to its secret path."""
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    script: dict[str, Script | list[Script]] = {f"/{SECRET}": (answer(200),)}
    with scripted_http(script) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        yield site


@pytest.fixture
def posting_media(settings: Settings, queue: RecordingQueue) -> None:
    """Enable them."""
    claiming._places.clear()
    settings.MEDIA_PLUGINS = [
        "notifier.media.webhook.WebhookNotification",
        "notifier.media.slack.SlackNotification",
        "notifier.media.msteams.MSTeamsNotification",
        "notifier.media.email.EmailNotification",
    ]


@pytest.fixture
def limiter(settings: Settings, redis_server: RedisServer) -> RedisLimiter:
    """The workers' own, on an empty Redis."""
    settings.NOTIFIER_REDIS_URL = redis_server.url
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return RedisLimiter()
