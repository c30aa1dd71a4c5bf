"""Relaying: what was written down is posted, in order, and marked once it is acknowledged.

A relay claims rows by a lease, which it commits before it posts: no transaction and no lock of the
application waits for the network. A relay that dies leaves its rows to the next one when the lease
ends; what it had posted already is posted again, and known by its `source_event_id`.

Only an incident's first waiting event can be claimed, and those behind it go with it. So two relays
never have events of the same incident, and one that must wait holds back the later ones.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from django.db import connections, router, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from notifier.client.events import Message
from notifier.client.posting import Transport, transport
from notifier.errors import ConflictingEvent, InvalidEvent, QueueUnavailable
from notifier.outbox import conf
from notifier.outbox.models import WAITS, OutboxEvent

log = logging.getLogger(__name__)

LEASE_S = 120.0
POSTING_S = 60.0
"""How long a batch may be posted; the rest, and the clocks of several hosts, have what is left."""
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 60.0
MOST_BYTES = 1024 * 1024
"""Of one request: small enough for any server."""
_PURGED_AT_ONCE = 1000


@dataclass(slots=True)
class Counts:
    """What became of a batch, and how long to leave the server alone where it can't be reached."""

    sent: int = 0
    refused: int = 0
    delayed: int = 0
    retry_after_s: float = 0.0
    cause: str = ""


@dataclass(slots=True)
class _Batch:
    """Rows that are ours until the lease ends."""

    rows: list[OutboxEvent]
    lease: dt.datetime
    end: float
    counts: Counts = field(default_factory=Counts)

    def mine(self, rows: Sequence[OutboxEvent]) -> QuerySet[OutboxEvent]:
        """Return those of the rows that nobody else has claimed since."""
        return _rows().filter(WAITS, pk__in=[each.pk for each in rows], next_try=self.lease)


def relay(batch: int = 100) -> Counts:
    """Post at most so many rows that are due; return what became of them.

    Call it outside any transaction. Raises `ValueError` for settings that don't fit together.
    """
    way = _way(conf.url(), conf.source(), conf.token(), conf.master())
    claimed = _claim(batch)
    try:
        for rows in _requests(claimed.rows):
            _post(way, claimed, rows)
    except QueueUnavailable as error:
        _delay(claimed, error)
    except TimeoutError:  # this relay's own: what it had no time for is due at once
        claimed.mine(claimed.rows).update(next_try=None)
    return claimed.counts


def purge() -> int:
    """Delete the rows that were sent longer ago than they are kept; return how many."""
    old = _rows().filter(sent_at__lt=timezone.now() - dt.timedelta(days=float(conf.keep_days())))
    deleted = 0
    while found := list(old.values_list("pk", flat=True)[:_PURGED_AT_ONCE]):
        deleted += _rows().filter(pk__in=found).delete()[0]
    return deleted


@functools.lru_cache(maxsize=1)
def _way(url: str, source: str, token: str | None, master: str | None) -> Transport:
    """Return the way to post, whose connections are kept between batches."""
    return transport(url, source=source, token=token, master=master)


def _alias() -> str:
    return router.db_for_write(OutboxEvent)


def _rows() -> QuerySet[OutboxEvent]:
    """Return all rows, of the database that is written: a replica may be behind."""
    return OutboxEvent.objects.using(_alias())


def _claim(size: int) -> _Batch:
    """Lease the first rows that are due, with those of their incidents that follow at once."""
    now = timezone.now()
    lease = now + dt.timedelta(seconds=LEASE_S)
    with transaction.atomic(using=_alias(), durable=True):
        rows = _rows()
        due = rows.filter(WAITS, Q(next_try=None) | Q(next_try__lte=now)).order_by("pk")
        earlier = rows.filter(
            WAITS,
            source=OuterRef("source"),
            incident_key=OuterRef("incident_key"),
            pk__lt=OuterRef("pk"),
        )
        first = list(_locked(due.filter(Q(incident_key=None) | ~Exists(earlier)))[:size])
        found = sorted([*first, *_followers(due, first, size)], key=lambda row: row.pk)[:size]
        rows.filter(pk__in=[each.pk for each in found]).update(next_try=lease, tries=F("tries") + 1)
    return _Batch(found, lease, time.monotonic() + POSTING_S)


def _followers(
    due: QuerySet[OutboxEvent], first: Sequence[OutboxEvent], size: int
) -> Iterator[OutboxEvent]:
    """Yield what may go behind the first events of incidents, up to one that must wait."""
    for head in first:
        if head.incident_key is None:
            continue
        behind = _rows().filter(
            WAITS, source=head.source, incident_key=head.incident_key, pk__gt=head.pk
        )
        order = list(behind.order_by("pk").values_list("pk", flat=True)[: size - 1])
        ours = {each.pk: each for each in _locked(due.filter(pk__in=order))} if order else {}
        yield from (ours[pk] for pk in takewhile(ours.__contains__, order))


def _locked(rows: QuerySet[OutboxEvent]) -> QuerySet[OutboxEvent]:
    """Lock the rows that nobody else has locked, where the database can; SQLite has one writer."""
    if connections[_alias()].features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True)
    return rows


def _requests(rows: Sequence[OutboxEvent]) -> Iterator[list[OutboxEvent]]:
    """Split rows into requests."""
    request: list[OutboxEvent] = []
    size = 0
    for each in rows:
        if request and size + len(each.body) > MOST_BYTES:
            yield request
            request, size = [], 0
        request.append(each)
        size += len(each.body)
    if request:
        yield request


def _post(way: Transport, batch: _Batch, rows: Sequence[OutboxEvent]) -> None:
    """Post and mark; where one of several is refused, and so all, find it by halves."""
    if time.monotonic() > batch.end:
        raise TimeoutError
    try:
        way.post([Message.read(str(each.event_id), each.body) for each in rows])
    except (InvalidEvent, ConflictingEvent) as error:
        if len(rows) > 1:
            middle = len(rows) // 2
            _post(way, batch, rows[:middle])
            _post(way, batch, rows[middle:])
            return
        [refused] = rows
        log.warning("event %s was refused; the outbox keeps it, with the reason", refused.event_id)
        batch.counts.refused += batch.mine(rows).update(
            refused_at=timezone.now(), reason=str(error).replace("\0", "")
        )
        return
    batch.counts.sent += batch.mine(rows).update(sent_at=timezone.now(), reason="")


def _delay(batch: _Batch, error: QueueUnavailable) -> None:
    """Let what is left of a batch wait, each by its own tries."""
    counts = batch.counts
    counts.cause = str(error).partition(";")[0]
    left = list(batch.mine(batch.rows))
    for tries in sorted({each.tries for each in left}):
        wait_s = max(_wait_s(tries), min(error.retry_after_s or 0.0, LONGEST_WAIT_S))
        again = timezone.now() + dt.timedelta(seconds=wait_s)
        same = [each for each in left if each.tries == tries]
        counts.delayed += batch.mine(same).update(next_try=again, reason=counts.cause)
        counts.retry_after_s = min(counts.retry_after_s or wait_s, wait_s)


def _wait_s(tries: int) -> float:
    """Return how long to wait after so many tries: doubling, with jitter."""
    longest = min(FIRST_WAIT_S * 2.0 ** min(tries - 1, 10), LONGEST_WAIT_S)
    return longest * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
