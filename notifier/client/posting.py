"""The ways to post: what they have in common, and which one a URL means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from notifier.client.events import Message

REDIS = ("redis://", "rediss://", "redis+socket://", "sentinel://")
HTTP = ("https://", "http://")


class Transport(Protocol):
    """A way to post; threads and forks may share it."""

    name: str
    """What can't be reached, for people; it holds no password and no token."""
    origin: str
    """Where it posts to, likewise without secrets."""
    kind: str
    """`redis` or `http`."""
    names_events: bool
    """Whether it knows a repeat by `source_event_id` alone."""

    def post(self, messages: Sequence[Message]) -> None:
        """Post all, or raise.

        Raises `QueueUnavailable` where none of them is known to be posted, within seconds; and
        `InvalidEvent` or `ConflictingEvent` where the other side refuses one of them, and so all.
        """

    def close(self) -> None:
        """End its connections; a later post makes new ones."""


def transport(url: str, *, source: str | None, token: str | None, master: str | None) -> Transport:
    """Return the way that a URL means; raise `ValueError` for what doesn't fit together."""
    if url.startswith(REDIS):
        if token:
            raise ValueError("token is for https://; a Redis URL holds its own password")
        # kombu takes ten times as long to load as the rest: it is left to who posts by Redis
        from notifier.client.over_redis import RedisTransport  # noqa: PLC0415 - takes kombu along

        return RedisTransport(url, master=master)
    if url.startswith(HTTP):
        if master:
            raise ValueError("master is for sentinel://")
        from notifier.client.over_http import HTTPTransport  # noqa: PLC0415 - likewise

        return HTTPTransport(url, source=source, token=token)
    raise ValueError(f"url must start with {', '.join((*REDIS, *HTTP))}")
