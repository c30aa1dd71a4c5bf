"""A child's memory: bounded, so that a plugin that leaks takes neither the host nor its batch down.

Beyond the bound Python raises MemoryError, which costs the one destination that is being told; after
the task, a child that has grown by more than half of it is replaced. What a child begins with, it shares
with its main process for as long as nothing writes to it.
"""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Any

from celery.signals import worker_before_create_process, worker_process_init

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


def _settle(**_kwargs: Any) -> None:
    """Keep the garbage collector away from what is here before the fork, and lives as long as the child.

    Looking through it, again and again, held up a child for a tenth of a second and made it a copy.
    """
    gc.collect()
    gc.freeze()


def connect() -> None:
    """Settle what each child of this process begins with, and bound it as it starts."""
    worker_before_create_process.connect(_settle, weak=False, dispatch_uid="notifier.memory")
    worker_process_init.connect(_bound, weak=False, dispatch_uid="notifier.memory")
