"""Posting what a spool holds, in order, in a thread of its own."""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from weakref import WeakSet

from notifier.client import forking
from notifier.client.posting import Transport
from notifier.client.spool import Spool, Spooled
from notifier.errors import ConflictingEvent, InvalidEvent, QueueUnavailable, SpoolUnusable

log = logging.getLogger(__name__)

MOST_EVENTS = 200
MOST_BYTES = 1024 * 1024
"""Of one post: small enough for any server, large enough to catch up."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
LONGEST_ASKED_S = 60.0
"""However long a server asks to be left alone."""
FINISHING_S = 2.0
"""What a process gives to that as it ends."""
OTHERS_S = 1.0
"""How often a process looks whether another one, which replays, has ended."""


def replay(spool: Spool, transport: Transport) -> int:
    """Post what waits; return how many events were posted, or raise `QueueUnavailable`.

    It forgets an event once that is posted: whatever ends it between the two, the event is posted
    again, and known by its id. What the server refuses is set aside.
    """
    posted = 0
    while batch := spool.head(MOST_EVENTS, MOST_BYTES):
        posted += _post(spool, transport, batch)
    return posted


def _post(spool: Spool, transport: Transport, batch: list[Spooled]) -> int:
    try:
        transport.post([each.message for each in batch])
    except (InvalidEvent, ConflictingEvent) as error:
        if len(batch) > 1:  # one of them: which, each shows by itself
            return sum(_post(spool, transport, [each]) for each in batch)
        [refused] = batch
        spool.refuse(refused, str(error))
        log.warning(
            "event %s was refused and is kept in %s: `python -m notifier.client` says why",
            refused.message.id,
            spool.path,
        )
        return 0
    spool.done(batch)
    return len(batch)


def waits_s() -> Iterator[float]:
    """Yield how long to wait after one failure more: doubling, with jitter."""
    for failures in count():
        longest = min(FIRST_WAIT_S * 2 ** min(failures, 10), LONGEST_WAIT_S)
        yield longest * random.uniform(0.7, 1.0)  # noqa: S311 - no secret


class Replayer:
    """Replays a spool whenever it holds something; threads and forks may share it."""

    def __init__(self, spool: Spool, transport: Transport) -> None:
        self._spool = spool
        self._transport = transport
        self._reset()
        forking.mind(self)
        _all.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._stopping = False
        self._failing = False
        self._waits = waits_s()

    def wake(self) -> None:
        """See to it that what waits is posted."""
        with self._lock:
            self._stopping = False
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._run, name="notifier-spool", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter ends: the next process replays
                self._thread = None

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing waits, and say whether that is so; begin with a try at once."""
        end = time.monotonic() + timeout_s
        self._hurry.set()
        while self._spool.waits():
            self.wake()
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        return True

    def finish(self, timeout_s: float = FINISHING_S) -> None:
        """Post what waits unless the last try failed, for so long, and end the thread."""
        end = time.monotonic() + timeout_s
        with suppress(SpoolUnusable):  # told where it is used
            if not self._failing:
                self.flush(timeout_s)
        with self._lock:
            thread, self._stopping = self._thread, True
        self._hurry.set()
        if thread is not None:
            thread.join(max(end - time.monotonic(), 0.1))  # the process may end with it

    def _run(self) -> None:
        while not self._may_end():
            try:
                with self._spool.turn_to_replay() as ours:
                    # kept while it waits, so that nobody else tries meanwhile
                    self._hurry.wait(self._replay() if ours else OTHERS_S)
            except SpoolUnusable as error:
                log.error("%s; what it holds is not posted for now", error)  # noqa: TRY400 - it says why itself
                self._hurry.wait(LONGEST_WAIT_S)

    def _may_end(self) -> bool:
        """Whether nothing is left to do; whoever spools from then on starts another thread."""
        with self._lock:
            self._hurry.clear()
            try:
                ended = self._stopping or not self._spool.waits()
            except SpoolUnusable:
                ended = True
            if ended:
                self._thread = None
            return ended

    def _replay(self) -> float:
        """Replay until nothing waits or something fails; return how long to wait."""
        try:
            posted = replay(self._spool, self._transport)
            self._spool.shrink()
        except SpoolUnusable:
            raise
        except QueueUnavailable as error:
            if not self._failing:
                log.warning("%s; events wait in the spool %s", _cause(error), self._spool.path)
            self._failing = True
            return min(max(next(self._waits), error.retry_after_s or 0.0), LONGEST_ASKED_S)
        except Exception:  # the thread's edge: what waits must not wait for ever
            log.exception("replaying %s failed", self._spool.path)
            return LONGEST_WAIT_S
        self._failing = False
        self._waits = waits_s()
        log.warning("%d events that waited in the spool %s are posted", posted, self._spool.path)
        return 0.0

    def before_fork(self) -> None:
        """Nothing: a child has a lock of its own, and the parent's is needed to come to rest."""

    def after_fork(self, *, child: bool) -> None:
        """Leave the thread to the parent."""
        if child:
            self._reset()


def _cause(error: QueueUnavailable) -> str:
    """Return what can't be reached, without what to do about it."""
    return str(error).partition(";")[0]


_all: WeakSet[Replayer] = WeakSet()
"""Each is kept by its thread, if by nobody else."""


@atexit.register
def _finish_all() -> None:
    for each in list(_all):
        each.finish()
