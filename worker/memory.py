"""A bound on a child's memory, so that a plugin that leaks takes neither the host nor its batch down.

Beyond the bound Python raises MemoryError, which costs the one destination that is being told; after
the task, a child that has grown by more than half of it is replaced.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from notifier import conf

_STATM = Path("/proc/self/statm")


def replace_above_kb() -> int | None:
    """Return for `worker_max_memory_per_child` what a child may take after a task; None: anything.

    This process is what its children begin as. Not by its own `ru_maxrss`, which on Linux includes
    what the process that started it took.
    """
    growth_kb = conf.CHILD_MEMORY_MB() * 1024
    if not growth_kb or not _STATM.exists():
        return None
    resident_kb = int(_STATM.read_text().split()[1]) * resource.getpagesize() // 1024
    return int(resident_kb + growth_kb / 2)


def _bound(**_kwargs: Any) -> None:
    growth = int(conf.CHILD_MEMORY_MB() * 1024 * 1024)
    if not growth or not _STATM.exists():
        return
    pages = int(_STATM.read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + growth, hard))


def connect() -> None:
    """Bound each child of this process as it starts."""
    worker_process_init.connect(_bound, weak=False, dispatch_uid="notifier.memory")
