"""A queue that remembers its nudges: the one seam at which tests of the domain replace a part."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID


class RecordingQueue:
    """What `NOTIFIER_QUEUE` is in tests without workers."""

    def __init__(self) -> None:
        self.dispatched: list[UUID] = []
        self.delivered: list[tuple[str, list[int]]] = []
        self.waiting: dict[str, int] = {}

    def dispatch(self, event_ids: Iterable[UUID]) -> None:
        """Remember it."""
        self.dispatched += event_ids

    def deliver(self, slug: str, delivery_ids: Iterable[int]) -> None:
        """Remember it."""
        self.delivered.append((slug, list(delivery_ids)))

    def lengths(self) -> dict[str, int]:
        """Return what the test says."""
        return self.waiting

    def consumers(self) -> dict[str, int]:
        """Return one for each."""
        return dict.fromkeys(self.waiting, 1)
