"""The feed: a batch's deliveries, handed out one by one as long as each may be sent now.

Every thread of a batch pulls from the same feed. It asks no database: what it must not hand out
it keeps, and the batch gives it back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

from notifier import conf
from notifier.breaker import Circuit
from notifier.delivering.gating import Whose, heard_of
from notifier.errors import Reason
from notifier.limits import Full, Limit, Limiter, Rate
from notifier.media.base import NotificationMedium, Outcome
from notifier.models import Delivery, Event

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 1.0
"""A thread waits so long in all for limits; then the batch ends, so that the next may take others.

What would have to wait longer is given back then, and its gate closed.
"""
ROOM_WAIT_S = 0.5
NAP_S = 0.02

_SCOPES = ("medium", "host", "destination")


class Feed:
    """Hands out a batch's deliveries; safe to share between threads."""

    def __init__(
        self,
        medium: NotificationMedium,
        deliveries: Sequence[Delivery],
        *,
        limiter: Limiter,
        stopping: Callable[[], bool],
        unrecorded: int,
    ) -> None:
        """Take what is to be sent, in order; `unrecorded` sends may be without a record at once."""
        self._medium = medium
        self._waiting = deque(deliveries)
        self._limiter = limiter
        self._stopping = stopping
        self._room = threading.BoundedSemaphore(unrecorded)
        self._lock = threading.Lock()
        self._ends = time.monotonic() + conf.BATCH_BUDGET_S()
        self._begun = False
        self._rates = _rates_of(medium)
        self._limited = any(self._rates.values())
        self._waited: dict[int, float] = defaultdict(float)
        self._free_at: dict[Whose, float] = {}
        self._closed: set[Whose] = set()
        self._circuits: dict[str, Circuit] = defaultdict(Circuit)

    def stop(self) -> None:
        """Hand out nothing any more."""
        with self._lock:
            self._waiting.clear()

    @property
    def urgency(self) -> int | None:
        """Return the urgency of what would be handed out next; None at the end."""
        with self._lock:
            return self._waiting[0].urgency if self._waiting else None

    def recorded(self, count: int) -> None:
        """Make room for further sends: so many are recorded."""
        self._room.release(count)

    def hear(self, delivery: Delivery, outcome: Outcome) -> None:
        """Take note of an outcome: what it closes is left alone for the rest of the batch."""
        if outcome.reason is None and delivery.host not in self._circuits:
            return  # all is well there, as before
        with self._lock:
            circuit = self._circuits[delivery.host].after([heard_of(outcome)], outcome.started_at)
            self._circuits[delivery.host] = circuit
            if circuit.trips or outcome.whole_host:
                self._closed.add(Whose(host=delivery.host))
            if outcome.reason and (
                outcome.reason.disables or outcome.reason is Reason.RATE_LIMITED
            ):
                self._closed.add(Whose(destination=delivery.destination_id))

    def next(self, event: Event | None = None) -> Delivery | None:
        """Return a delivery that may be sent now, waiting for one if need be; None at the end.

        With an event, one of the same event and without waiting.
        """
        while not self._over():
            if not self._room.acquire(timeout=ROOM_WAIT_S):
                if event is not None:  # a medium that takes all before it sends any
                    return None
                continue
            delivery, wait_s = self._look(event)
            if delivery:
                self._begun = True
                return delivery
            self._room.release()
            thread = threading.get_ident()
            if event is not None or wait_s is None:
                return None
            if self._waited[thread] + wait_s > LONGEST_WAIT_S:
                return None
            nap_s = min(wait_s, NAP_S)
            time.sleep(nap_s)
            self._waited[thread] += nap_s
        return None

    def _over(self) -> bool:
        # one at least, else a batch whose budget is spent at once would never get anywhere
        spent = self._begun and time.monotonic() >= self._ends
        return not self._waiting or self._stopping() or spent

    def _look(self, event: Event | None) -> tuple[Delivery | None, float | None]:
        """Return what may be sent now, else for how many seconds nothing may."""
        soonest: float | None = None
        closed: list[Delivery] = []
        found: Delivery | None = None
        with self._lock:
            for index, delivery in enumerate(self._waiting):
                if event is not None and delivery.event_id != event.pk:
                    soonest = None
                    break
                wait_s = self._wait_s(delivery)
                if wait_s is None:
                    closed.append(delivery)
                elif wait_s > 0:
                    soonest = min(wait_s, soonest or wait_s)
                else:
                    found, soonest = delivery, 0.0
                    del self._waiting[index]
                    break
            for delivery in closed:
                self._waiting.remove(delivery)
        return found, soonest

    def _wait_s(self, delivery: Delivery) -> float | None:
        """Return the seconds until this one may go, having let it through at 0; None: not now."""
        if not (self._limited or self._closed):
            return 0.0
        whose = (Whose(), Whose(host=delivery.host), Whose(destination=delivery.destination_id))
        if self._closed.intersection(whose):
            return None
        wait_s = max(self._free_at.get(each, 0.0) for each in whose) - time.monotonic()
        return wait_s if wait_s > 0 else self._take(whose)

    def _take(self, whose: tuple[Whose, ...]) -> float | None:
        """Pass through every limit: return 0, or the seconds to wait; None where nobody counts."""
        limits = {
            Limit(_key(self._medium.MEDIA_SLUG, scope, each, number), rate): each
            for scope, each in zip(_SCOPES, whose, strict=True)
            for number, rate in enumerate(self._rates[scope])
        }
        if not limits:
            return 0.0
        try:
            full = self._limiter.take(list(limits))
        except ConnectionError as error:
            log.warning("%s; what has a limit waits", error)
            self._closed.update(limits.values())
            return None
        return self._wait_for(full, limits) if full else 0.0

    def _wait_for(self, full: Full, limits: Mapping[Limit, Whose]) -> float:
        of = next(each for limit, each in limits.items() if limit.key == full.key)
        self._free_at[of] = time.monotonic() + full.wait_s
        return full.wait_s

    @property
    def full(self) -> dict[Whose, float]:
        """Return whose limits are full, and for how many seconds their gates are to be closed.

        A little less than until the next turn, so that whoever comes then finds it at once.
        """
        left = {of: at - time.monotonic() - LONGEST_WAIT_S for of, at in self._free_at.items()}
        return {of: seconds for of, seconds in left.items() if seconds > 0}


def _rates_of(medium: NotificationMedium) -> dict[str, Sequence[Rate]]:
    """Return a medium's rates by scope, as the site has them."""
    said = conf.RATE_LIMITS().get(medium.MEDIA_SLUG, {})
    own = (medium.RATE_LIMIT, medium.HOST_RATE_LIMIT, medium.DESTINATION_RATE_LIMIT)
    return {
        scope: rates if scope not in said else (Rate.parse(said[scope]),) if said[scope] else ()
        for scope, rates in zip(_SCOPES, own, strict=True)
    }


def _key(slug: str, scope: str, whose: Whose, number: int) -> str:
    return f"{slug}:{scope}:{whose.destination or whose.host}:{number}"
