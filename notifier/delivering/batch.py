"""A batch on its way: threads send, and this one records, whatever the threads are stuck in."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connection

from notifier import conf
from notifier.delivering.claiming import Claim, end_probe, most_urgent_of, release
from notifier.delivering.feeding import Feed
from notifier.delivering.gating import close
from notifier.delivering.recording import record
from notifier.errors import Reason, SettingsUnreadable, frames
from notifier.media import calling
from notifier.media.base import Destination, NotificationMedium, Outcome
from notifier.models import Delivery, Event
from notifier.models.person import locale_of
from notifier.outages import database

log = logging.getLogger(__name__)

FLUSH_ROWS = 20
RECORD_PAUSE_S = 0.5
HUNG_AFTER = 2
"""A send that takes so many times its time limit will never end."""
HELP_AFTER_S = 0.01
"""A send that takes longer waits for somebody: others go on meanwhile. Threads that have no need to wait
are in each other's way: eight of them take nearly twice the CPU time of one."""
UNREADABLE_PAUSE_S = 300.0
"""Until settings that can't be read are looked at again: a missing key uses no attempts up."""
LOOK_EVERY_S = 0.5
"""So often, at most, a batch on its way looks whether something more urgent than its rest is due.

It looks when it records: half of that interval, so that a slice which is full a moment early is no second lost.
"""
_WAKE_UP_S = 0.2

Ended = tuple[Delivery, Outcome]
T = TypeVar("T")


class Outbox:
    """What has ended and is not recorded yet; shared by the threads that send and the one that records.

    The latter sleeps until a slice is full, a second is over or a thread has ended: to be woken for each
    send would cost more than a fast send.
    """

    def __init__(self, slice_rows: int) -> None:
        self.slice_rows = slice_rows
        self._ended: deque[Ended] = deque()
        self._wake = threading.Event()
        self._ends_at = time.monotonic() + conf.FLUSH_INTERVAL_S()

    def put(self, delivery: Delivery, outcome: Outcome) -> None:
        """Add what a send has come to."""
        self._ended.append((delivery, outcome))
        if self.is_due:
            self.wake()

    def wake(self) -> None:
        """End a `wait`."""
        self._wake.set()

    def wait(self, timeout_s: float) -> None:
        """Sleep until there is something to do, but not for longer."""
        self._wake.wait(timeout_s)
        self._wake.clear()

    @property
    def is_due(self) -> bool:
        """Whether what is here should be recorded now."""
        return len(self._ended) >= self.slice_rows or time.monotonic() >= self._ends_at

    def take(self) -> list[Ended]:
        """Take all that is here; the next slice begins now."""
        self._ends_at = time.monotonic() + conf.FLUSH_INTERVAL_S()
        return [self._ended.popleft() for _ in range(len(self._ended))]


class Sender(threading.Thread):
    """Sends what the feed hands out, through a session of its own; never touches the database."""

    def __init__(self, medium: NotificationMedium, feed: Feed, outbox: Outbox) -> None:
        # a daemon: one that hangs for ever must not hold the process
        super().__init__(name=f"send {medium.MEDIA_SLUG}", daemon=True)
        self._medium = medium
        self._feed = feed
        self._outbox = outbox
        self._unanswered: dict[Destination, Delivery] = {}
        self._busy = False
        self._since = 0.0
        self.ended = False

    def run(self) -> None:
        """Send until the feed ends; then say so, whatever happens."""
        try:
            destination = self._next()
            while destination is not None:
                try:
                    with self._medium.session() as session:
                        while destination is not None:
                            self._send(destination, session)
                            destination = self._next()
                except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
                    self._broke_off(error)
                    destination = self._next()
        finally:
            self._busy, self.ended = False, True
            self._outbox.wake()

    @property
    def is_slow(self) -> bool:
        """Whether its send takes long enough for others to be sent meanwhile."""
        return self._busy and time.monotonic() - self._since > HELP_AFTER_S

    @property
    def hung(self) -> bool:
        """Whether it has been busy for so long that it will never come back."""
        return self._busy and (time.monotonic() - self._since > HUNG_AFTER * conf.SEND_TIMEOUT_S())

    @property
    def unanswered(self) -> list[int]:
        """Return the ids of the deliveries that it has begun and not put into the outbox."""
        return [delivery.pk for delivery in list(self._unanswered.values())]

    def _send(self, destination: Destination, session: Any) -> None:
        event = self._unanswered[destination].event
        destinations = self._destinations(destination, event)
        for outcome in calling.send(self._medium, event, destinations, session):
            # once for each destination, and for none that it was not given
            if answered := self._unanswered.get(outcome.destination):
                self._end(answered, outcome)
                del self._unanswered[outcome.destination]
        self._give_up_unanswered()

    def _destinations(self, first: Destination, event: Event) -> Iterator[Destination]:
        """Hand out one by one: each when it may be sent, and none after the end of the batch."""
        destination: Destination | None = first
        while destination is not None:
            yield destination
            destination = self._next(event)

    def _next(self, event: Event | None = None) -> Destination | None:
        while (delivery := self._take(event)) is not None:
            try:
                destination = _destination(delivery)
            except SettingsUnreadable as error:
                self._end(delivery, _unreadable(delivery, error))
            else:
                self._unanswered[destination] = delivery
                return destination
        return None

    def _take(self, event: Event | None) -> Delivery | None:
        self._busy = False  # it may have to wait
        delivery = self._feed.next(event)
        self._busy, self._since = True, time.monotonic()
        return delivery

    def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        self._since = time.monotonic()
        outcome = outcome.sane()
        self._outbox.put(delivery, outcome)
        self._feed.hear(delivery, outcome)

    def _give_up_unanswered(self) -> None:
        for destination, delivery in list(self._unanswered.items()):
            self._end(delivery, Outcome.unanswered(destination))
        self._unanswered.clear()

    def _broke_off(self, error: BaseException) -> None:
        log.error(
            "medium %s broke off a batch: %s\n%s",
            self._medium.MEDIA_SLUG,
            type(error).__name__,
            frames(error),  # only these: the exception's own text may quote a secret
        )
        self._give_up_unanswered()


class Batch:
    """The deliveries of one claim, from the first send to the last record."""

    def __init__(
        self, medium: NotificationMedium, claim: Claim, feed: Feed, *, size: int, worker: str
    ) -> None:
        self._medium = medium
        self._claim = claim
        self._feed = feed
        self._worker = worker
        count = min(medium.CONCURRENCY, size)
        self._outbox = Outbox(FLUSH_ROWS)
        self._idle = [Sender(medium, feed, self._outbox) for _ in range(count)]
        self._senders: list[Sender] = []
        self._heard: set[str] = set()
        self._refused: list[int] = []
        self._counts: Counter[str] = Counter()
        self._start = self._looked = time.monotonic()

    def run(self) -> Counter[str]:
        """Send and record; return how many rows went into each state, were `released`, or are `hung`.

        What hangs stays claimed: its lease brings it back, to be sent alone. Nothing else waits for it.
        """
        self._start_sender()
        try:
            lost = self._collect_all()
        finally:
            self._feed.stop()
        full = self._feed.full
        self._insist(lambda: close(self._medium.MEDIA_SLUG, full))
        self._counts["released"] += self._insist(
            lambda: release(self._claim.token, but=[*lost, *self._refused])
        )
        if self._claim.probe is not None and self._claim.probe not in self._heard:
            end_probe(self._medium.MEDIA_SLUG, self._claim.probe)
        if lost:
            self._counts["hung"] += len(lost)
            log.error("medium %s ignores its time limit: %s", self._medium.MEDIA_SLUG, lost)
        return self._counts

    def _collect_all(self) -> list[int]:
        """Collect and record until every thread has ended or hangs; return what the latter began."""
        hung: list[Sender] = []
        while not all(sender.ended or sender in hung for sender in self._senders):
            self._outbox.wait(HELP_AFTER_S if self._idle else _WAKE_UP_S)
            if all(sender.is_slow for sender in self._senders):
                for _ in self._senders[:]:
                    self._start_sender()
            if self._outbox.is_due:
                self._flush()
                self._make_way()
            hung = [sender for sender in self._senders if sender.hung]
            if hung:
                self._feed.stop()
        # in this order: what ends after all meanwhile is recorded, or left to its lease
        begun = [pk for sender in hung for pk in sender.unanswered]
        self._flush()
        return begun

    def _start_sender(self) -> None:
        if self._idle:
            sender = self._idle.pop()
            self._senders.append(sender)
            # what the other threads are sending just now takes of the same room
            self._outbox.slice_rows = FLUSH_ROWS + 1 - len(self._senders)
            sender.start()

    def _flush(self) -> None:
        if ended := self._outbox.take():
            self._heard.update(delivery.host for delivery, _ in ended)
            self._record(ended)
            self._feed.recorded(len(ended))

    def _make_way(self) -> None:
        """Send no more of this batch, once something more urgent than the rest of it is due."""
        urgency = self._feed.urgency
        if urgency is None or time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        most_urgent = self._insist(lambda: most_urgent_of(self._medium.MEDIA_SLUG))
        if most_urgent is not None and most_urgent < urgency:
            self._feed.stop()
        self._looked = time.monotonic()

    def _record(self, ended: list[Ended]) -> None:
        """Record; what the database refuses, one by one, so that one odd answer costs no other row."""
        try:
            self._counts += self._insist(
                lambda: record(self._medium, self._claim.token, ended, self._worker)
            )
        except (DataError, IntegrityError) as error:
            if len(ended) > 1:
                for each in ended:
                    self._record([each])
                return
            self._refused.append(
                ended[0][0].pk
            )  # it was sent: its lease is to bring it back, alone
            log.error(  # noqa: TRY400 - the database's text quotes values
                "delivery %s can't be recorded: %s", ended[0][0].pk, type(error).__name__
            )

    def _insist(self, work: Callable[[], T]) -> T:
        """Do it, however long the database is away: what was sent must not be sent again.

        Up to the hard time limit of the task, which is shorter than the lease.
        """
        while True:
            try:
                done = work()
            except (DataError, IntegrityError):
                raise
            except (DatabaseError, InterfaceError) as error:
                database.begin(error)
                if time.monotonic() - self._start > conf.HARD_TIME_LIMIT_S() - RECORD_PAUSE_S:
                    raise
                connection.close()
                time.sleep(RECORD_PAUSE_S)
            else:
                database.end()
                return done


def _unreadable(delivery: Delivery, error: SettingsUnreadable) -> Outcome:
    """Return the outcome where nothing can be sent until an operator has put a key back."""
    log.warning("delivery %s: %s", delivery.pk, error)
    nobody = _destination(delivery, readable=False)
    outcome = Outcome.unsent(nobody, Reason.UNREADABLE, str(error))
    return replace(outcome, retry_after_s=UNREADABLE_PAUSE_S)


def _destination(delivery: Delivery, *, readable: bool = True) -> Destination:
    config = delivery.destination
    assert config is not None  # noqa: S101 - such rows were cancelled
    language, time_zone = locale_of(config.user)
    return Destination(
        pk=config.pk,
        media=config.media,
        settings=config.settings if readable else {},
        label=config.label,
        username=config.user.get_username(),
        message_key=delivery.message_key,
        language=language,
        time_zone=time_zone,
        template=config.template,
    )
