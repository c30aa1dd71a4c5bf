"""This process's index, brought up to date by the log of changes before each use."""

from __future__ import annotations

import datetime as dt
import gc
import threading
from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model

from notifier.conditions import Facts
from notifier.matching.changes import Mark, look
from notifier.matching.destinations import Told, told_by
from notifier.matching.index import Index, Profile
from notifier.matching.loading import load, resting_on
from notifier.models import DestinationConfig

_CHUNK = 10_000
"""Primary keys that one query names: SQLite has a limit."""
_FEW = 500
_SHARE = 4
"""Where more than a few, and a fourth of all owners, have changed, all are loaded."""


class Matcher:
    """Says who wants an event, and what a delivery keeps of where that leads. One thread at a time."""

    def __init__(self) -> None:
        self.now = dt.datetime.min.replace(tzinfo=dt.UTC)
        """The database's clock at the last refresh."""
        self._index = Index()
        self._mark: Mark | None = None
        self._later: set[object] = set()
        """Who changed while others were loaded."""
        self._told: dict[int, Told] = {}

    @property
    def is_cold(self) -> bool:
        """Whether nothing is loaded yet."""
        return self._mark is None

    def match(
        self, facts: Facts, timestamp: dt.datetime, now: dt.datetime | None = None
    ) -> list[Profile]:
        """Return the profiles that want an event, by primary key.

        `timestamp` (the event's) decides about timeslots, `now` (at the last refresh) about pauses.
        """
        return self._index.match(facts, timestamp, now or self.now)

    def told(self, destinations: Iterable[int]) -> dict[int, Told]:
        """Return what is known of destinations by primary key, but for those that have gone.

        It keeps what it has once asked for until their owner changes: settings must be opened for
        it, and the medium asked.
        """
        wanted = set(destinations)
        for chunk in _chunks(wanted - self._told.keys()):
            for each in DestinationConfig.objects.filter(pk__in=chunk):
                self._told[each.pk] = told_by(each)
        return {pk: self._told[pk] for pk in wanted if pk in self._told}

    def refresh(self) -> None:
        """Learn of every change that was committed before the call; of none, in one query."""
        last, self._mark = self._mark, None  # broken off, all is loaded anew
        later, self._later = self._later, set()
        mark, changed = look(last)
        owners = self._owners(changed, later)
        while owners is None or owners:
            self._reload(owners)
            # several queries see no one moment: who changed between them is loaded once more, others
            # next time, as a stream of changes may have no end
            mark, changed = look(mark)
            since = self._owners(changed)
            if owners is not None and since is not None:
                self._later |= since - owners
                since &= owners
            owners = since
        self._mark, self.now = mark, mark.now

    def _owners(
        self, changed: Collection[str] | None, later: Set[object] = frozenset()
    ) -> set[object] | None:
        """Return whom to load for a look's findings; None where it is best to load all."""
        if changed is None:
            return None
        key = get_user_model()._meta.pk
        owners = {key.to_python(owner) for owner in changed}
        for chunk in _chunks([*owners]):
            owners |= resting_on(chunk)
        owners |= later
        return None if _FEW < len(owners) > self._index.owners // _SHARE else owners

    def _reload(self, owners: Collection[object] | None) -> None:
        if owners is None:
            self._index = Index()
            self._told.clear()
            with _no_garbage_collection():
                load(self._index)
            return
        for chunk in _chunks(owners):
            for destination in self._index.remove(chunk):
                self._told.pop(destination, None)
            load(self._index, chunk)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Make many objects, all of which stay: looking for garbage among them takes a third longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(keys)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


_lock = threading.RLock()
_current = Matcher()


@contextmanager
def current_matcher() -> Iterator[Matcher]:
    """Lend this process's matcher, knowing every change that was committed before.

    Not inside a transaction that has changed what it follows: rolled back, it would have seen
    what never was.
    """
    with _lock:
        _current.refresh()
        yield _current


def warm_up() -> None:
    """Load this process's index, where it was not: it takes a second for 30,000 profiles."""
    with _lock:
        if _current.is_cold:
            _current.refresh()


def forget() -> None:
    """Begin anew, as where a database is replaced by another."""
    with _lock:
        _current.__init__()  # type: ignore[misc] # in place: it may be lent
