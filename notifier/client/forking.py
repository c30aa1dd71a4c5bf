"""What a process that forks must put aside: locks, threads, and connections that can't be shared."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """An object that survives a fork in both processes."""

    def before_fork(self) -> None:
        """Come to rest: nothing half done may be copied."""

    def after_fork(self, *, child: bool) -> None:
        """Go on; as a child without what only the parent has, such as its threads."""


_all: WeakSet[Forking] = WeakSet()
_resting: list[Forking] = []


def mind(forking: Forking) -> None:
    """Tell an object of every fork, for as long as it lives."""
    _all.add(forking)


def _before() -> None:
    _resting[:] = _all
    for each in _resting:
        each.before_fork()


def _after(*, child: bool) -> None:
    for each in _resting or list(_all):  # uWSGI forks without a word, and tells afterwards
        each.after_fork(child=child)
    _resting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
