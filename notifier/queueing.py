"""The queue as the rest of Notifier sees it: somewhere to leave a nudge.

A nudge says "there is work"; the rows are the truth. So it may be lost, doubled or late, and
its failure is never the caller's problem: the sweep finds the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Protocol
from uuid import UUID

from django.utils.module_loading import import_string

from notifier import conf

EVENTS_QUEUE = "events"
MAINTENANCE_QUEUE = "maintenance"


def media_queue(slug: str) -> str:
    """Return the name of a medium's own queue."""
    return f"media.{slug}"


class Queue(Protocol):
    """What `NOTIFIER_QUEUE` names. Nudging never raises and never blocks for long."""

    def dispatch(self, event_ids: Iterable[UUID]) -> None:
        """Ask for accepted events to be matched."""

    def deliver(self, slug: str, delivery_ids: Iterable[int]) -> None:
        """Ask for a medium's due deliveries to be sent."""

    def lengths(self) -> dict[str, int]:
        """Return how many messages wait in each queue; raise `ConnectionError` if unknown."""

    def consumers(self) -> dict[str, int]:
        """Return how many workers consume each queue; raise `ConnectionError` if unknown."""


class NoQueue:
    """For a site without workers of its own: events are stored, the sweep elsewhere finds them."""

    def dispatch(self, event_ids: Iterable[UUID]) -> None:
        """Do nothing."""

    def deliver(self, slug: str, delivery_ids: Iterable[int]) -> None:
        """Do nothing."""

    def lengths(self) -> dict[str, int]:
        """Return no queue."""
        return {}

    def consumers(self) -> dict[str, int]:
        """Return no queue."""
        return {}


@cache
def _load(path: str) -> Queue:
    queue: Queue = import_string(path)()
    return queue


def get_queue() -> Queue:
    """Return the site's queue, resolved on first use."""
    path = conf.QUEUE()
    return _load(path) if path else NoQueue()
