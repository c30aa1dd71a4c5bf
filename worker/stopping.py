"""Whether this worker was asked to stop, as its children see it.

A prefork child is not told that its main process is shutting down. The flag lies in memory that
was made before the fork, so both see it.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery.signals import worker_shutting_down

_flag = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Say whether no new work should be begun here."""
    return _flag[0] != 0


def _note(**_kwargs: Any) -> None:
    _flag[0] = 1


def connect() -> None:
    """Listen to the main process's signal handler."""
    worker_shutting_down.connect(_note, weak=False, dispatch_uid="notifier.stopping")
