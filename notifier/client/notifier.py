"""`Notifier`: a source's way to post events, through Redis or over HTTP."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from notifier.client.events import Message, compose, compose_many
from notifier.client.posting import transport
from notifier.client.replaying import FINISHING_S, Replayer
from notifier.client.spool import Refused, Spool, SpoolState, spool_path
from notifier.errors import InvalidEvent, Problem, QueueUnavailable, SpoolUnusable

log = logging.getLogger(__name__)

MOST_EVENTS = 1000
MOST_BYTES = 4 * 1024 * 1024
"""Of one `send_many`."""


class Notifier:
    """A source's way to post events; one for a process, which its threads and forks share.

    ::

        Notifier("redis://localhost:6379/0", source="shop", spool=True)
        Notifier("https://notifier.example.org/", source="shop", token="nts_…", spool="/var/lib/shop")

    With a `spool`, what can't be posted is written to disk and posted later, in order, by a thread
    of this process or by the next process that makes a `Notifier` with the same spool.
    """

    def __init__(
        self,
        url: str,
        *,
        source: str | None = None,
        token: str | None = None,
        master: str | None = None,
        spool: bool | str | os.PathLike[str] = False,
        spool_events: int = 100_000,
        spool_bytes: int = 128 * 1024 * 1024,
    ) -> None:
        """Take where to post, and the name of the source that posts by default.

        `url` is Redis's (`redis://`, `rediss://`, `sentinel://host:port;sentinel://host:port/0` with
        the `master` that the sentinels know), or the server's (`https://`), with the source's
        `token`. `spool` is a directory on a local disk, or True for one in this user's home;
        `spool_events` and `spool_bytes` bound it.

        Raises `ValueError` for what doesn't fit together, and nothing else: a spool that can't be
        used is told in the log, and by what is posted while it is needed.
        """
        self._transport = transport(url, source=source, token=token, master=master)
        self._source = source
        self._spool: Spool | None = None
        self._broken = False
        if spool:
            directory = None if spool is True else Path(spool)
            self._open_spool(directory, spool_events, spool_bytes)

    def send(
        self,
        description: str,
        *,
        type: str | None = None,  # noqa: A002 - the field's name on every way in
        level: int | None = None,
        tags: Iterable[str] | Mapping[str, str] | None = None,
        source: str | None = None,
        incident_key: str | None = None,
        recipients: Iterable[str] | None = None,
        timestamp: dt.datetime | None = None,
        details_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        source_event_id: str | None = None,
        expires: dt.datetime | None = None,
    ) -> UUID:
        """Post an event and return its id.

        The arguments are those of `notifier.notify`; `source_event_id` is the idempotency key.
        Returns within 5 seconds, whatever fails: once the event is in Redis, stored by the server,
        or on disk in the spool. Raises `InvalidEvent` (a `ValueError`) for what breaks a rule,
        over HTTP `ConflictingEvent` as well, and `QueueUnavailable` (a `ConnectionError`) where
        nothing keeps the event.
        """
        given = {
            "description": description,
            "type": type,
            "level": level,
            "tags": tags,
            "source": source,
            "incident_key": incident_key,
            "recipients": recipients,
            "timestamp": timestamp,
            "details_url": details_url,
            "metadata": metadata,
            "source_event_id": source_event_id,
            "expires": expires,
        }
        message = compose(given, **self._how())
        self._post([message])
        return message.id

    def send_many(self, events: Iterable[Mapping[str, Any]]) -> list[UUID]:
        """Post events in one go and return their ids, in their order.

        Each is a mapping of what `send()` takes; at most 1,000, of 4 MiB as JSON. Takes as long and
        raises the same, for all of them: `InvalidEvent` names each field as in `[3].level`.
        """
        messages = compose_many(events, **self._how())
        size = sum(len(each.body) for each in messages)
        if len(messages) > MOST_EVENTS or size > MOST_BYTES:
            raise InvalidEvent(
                [
                    Problem(
                        "events",
                        f"{len(messages):,} of {size:,} bytes; at most {MOST_EVENTS:,} of "
                        f"{MOST_BYTES:,} bytes at once",
                    )
                ]
            )
        if messages:
            self._post(messages)
        return [each.id for each in messages]

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until the spool has been posted; return whether it has within so many seconds."""
        return self._replayer.flush(timeout_s) if self._spool else True

    def close(self, timeout_s: float = FINISHING_S) -> None:
        """Post what waits, if that is done within so many seconds, and close everything.

        What is not posted stays in the spool for the next process. A later `send` opens all again.
        """
        if self._spool is not None:
            self._replayer.finish(timeout_s)
            self._spool.close()
        self._transport.close()

    def spooled(self) -> SpoolState:
        """Return how much waits in the spool, how much was refused, and how old it is."""
        return self._spool.state() if self._spool else SpoolState(0, 0, 0, 0.0)

    def refused(self) -> list[Refused]:
        """Return what was spooled, and then refused by the server, with the reasons."""
        return self._spool.refused() if self._spool else []

    def retry_refused(self) -> int:
        """Post once more what was refused; return how many events that is."""
        if self._spool is None:
            return 0
        found = self._spool.retry()
        self._replayer.wake()
        return found

    def __enter__(self) -> Self:
        """Return it; the end of the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Name the server, without its password or token."""
        return f"<Notifier of {self._source or 'any source'} to {self._transport.origin}>"

    def _open_spool(self, directory: Path | None, most_events: int, most_bytes: int) -> None:
        try:
            path = spool_path(
                directory,
                source=self._source,
                kind=self._transport.kind,
                origin=self._transport.origin,
            )
            self._spool = Spool(path, most_events=most_events, most_bytes=most_bytes)
            self._replayer = Replayer(self._spool, self._transport)
            if self._spool.waits():
                self._replayer.wake()
        except SpoolUnusable as error:
            self._say_broken(error)

    def _how(self) -> dict[str, Any]:
        return {
            "source": self._source,
            "named": self._transport.names_events,
            "dated": self._spool is not None,
        }

    def _post(self, messages: Sequence[Message]) -> None:
        """Post, or spool: behind what waits already, so that nothing overtakes."""
        spool = self._spool
        failure: QueueUnavailable | None = None
        if spool is None or not self._waits(spool):
            try:
                self._transport.post(messages)
            except QueueUnavailable as error:
                if spool is None:
                    raise
                failure = error
            else:
                return
        try:
            spool.add(messages)
        except SpoolUnusable as error:
            raise SpoolUnusable(
                f"{error}; and {failure or 'others wait in it already'}"
            ) from failure
        self._replayer.wake()

    def _waits(self, spool: Spool) -> bool:
        """Whether anything waits; while the spool can't be used, it does not stand in the way."""
        try:
            waits = spool.waits()
        except SpoolUnusable as error:
            self._say_broken(error)
            return False
        self._broken = False
        return waits

    def _say_broken(self, error: SpoolUnusable) -> None:
        """Say once that the spool can't be used."""
        if not self._broken:
            self._broken = True
            log.error(
                "%s; without it, nothing is kept while %s is away", error, self._transport.name
            )
