"""Overload: when the HTTP intake says "later", by a rule that anybody can read.

While more than `NOTIFIER_MAX_WAITING` events wait to be matched, or more deliveries than that are
due, a request is refused unless it holds a critical event, or nothing but repeats of stored ones.
Deliveries behind an open breaker or an operator's pause don't count: one dead host is nobody else's
overload. Those that a rate limit holds back do.

Only over HTTP, where somebody hears the answer and posts again. `notify()` belongs to its caller's
transaction, which must not fail for our backlog, and a `notifier.ingest` that was refused would go
back to its queue, which is the buffer already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from notifier import conf
from notifier.ids import event_id_for
from notifier.intake.schema import EventIn
from notifier.models import Delivery, Event, Gate, Source
from notifier.models.event import Level

RETRY_AFTER_S = 30
LOOK_INTERVAL_S = 1.0
"""How long a look at the backlog holds, in each process."""
LOOK_SHARE = 20
"""A look that took long holds so many times as long: it never costs more than 5 % of the time."""

MAX_BROKEN = 100
"""So many broken hosts are left out, which keeps the query short."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits: events to be matched, deliveries to be sent. Counted to one above the limit."""

    events: int
    deliveries: int

    @property
    def too_long(self) -> bool:
        """Whether the HTTP intake takes critical events only."""
        return max(self.events, self.deliveries) > conf.MAX_WAITING()

    def __str__(self) -> str:
        if not self.too_long:
            return f"{self.events} events wait to be matched, {self.deliveries} deliveries are due"
        return (
            f"more than {conf.MAX_WAITING():,} events or deliveries wait ({conf.MAX_WAITING.name}): "
            "HTTP takes critical events only"
        )


def look() -> Backlog:
    """Count what waits, by the partial indexes and no further than the limit; three queries."""
    enough = conf.MAX_WAITING() + 1
    due = Delivery.objects.filter(state=Delivery.State.PENDING, due_at__lte=Now())
    broken = Gate.objects.filter(Q(paused=True) | Q(trips__gt=0), destination=None).order_by()
    for medium, host in broken.values_list("medium", "host")[:MAX_BROKEN]:
        due = due.exclude(medium=medium, **({"host": host} if host else {}))
    waiting = Event.objects.filter(state=Event.State.ACCEPTED)
    # of the indexes' own columns, so that no row is read
    return Backlog(waiting.values("level")[:enough].count(), due.values("due_at")[:enough].count())


class Watch:
    """Remembers the last look for a second; one thread looks, the others go by what it saw last."""

    def __init__(self) -> None:
        self._seen: Backlog | None = None
        self._until = 0.0
        self._looking = threading.Lock()

    def backlog(self) -> Backlog:
        """Return what was seen at most a second ago, or while somebody else is looking, before."""
        if self._seen is None:
            with self._looking:
                return self._look_again()
        if time.monotonic() >= self._until and self._looking.acquire(blocking=False):
            try:
                return self._look_again()
            finally:
                self._looking.release()
        return self._seen

    def _look_again(self) -> Backlog:
        start = time.monotonic()
        if self._seen is None or start >= self._until:
            self._seen = look()
            end = time.monotonic()
            self._until = end + max(LOOK_INTERVAL_S, LOOK_SHARE * (end - start))
        return self._seen


watch = Watch()
"""This process's."""


def refuses(events: Sequence[EventIn], source: Source) -> bool:
    """Say whether a request with these events has to come later.

    Never one with a critical event: as a list is stored as a whole, it is taken as a whole. Never
    one of repeats alone, which change nothing: one look-up by key, and only under overload.
    """
    if any(event.level == Level.CRITICAL for event in events) or not watch.backlog().too_long:
        return False
    if not all(event.source_event_id for event in events):
        return True
    ids = {event_id_for(source.name, event.source_event_id) for event in events}
    return Event.objects.filter(pk__in=ids).count() < len(ids)
