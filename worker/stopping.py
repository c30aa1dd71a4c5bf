"""Whether this worker was asked to stop, as its children see it.

A prefork child is not told that its main process is shutting down. The flag lies in memory that
was made before the fork, so both see it.
"""

from __future__ import annotations

import mmap
from typing import Any

from billiard import pool
from celery.signals import worker_shutting_down

_flag = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Say whether no new work should be begun here."""
    return _flag[0] != 0


CHILD_WAITS_S = 2.0
"""A child that ends waits for its main process to have read its last result: a race, which billiard
gives 30 s, and which the main process has lost once it waits for the child."""


def _note(**_kwargs: Any) -> None:
    _flag[0] = 1


def connect() -> None:
    """Listen to the main process's signal handler, and let no child outlive its work for long."""
    tries = CHILD_WAITS_S / pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = int(tries)
    worker_shutting_down.connect(_note, weak=False, dispatch_uid="notifier.stopping")
