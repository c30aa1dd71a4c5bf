"""What processes use: CPU time and memory, children included."""

from __future__ import annotations

from contextlib import suppress

import psutil

from servers.process import Process


def _family(process: Process) -> list[psutil.Process]:
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


def cpu_s(process: Process) -> float:
    """Return the CPU seconds that a process and its children, living or gone, have used so far."""
    total = 0.0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            used = each.cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


def child_mib(worker: Process) -> float:
    """Return the resident memory of a Celery worker's largest child: the one that works."""
    return max(float(each.memory_info().rss) for each in _family(worker)[1:]) / 2**20


def own_mib(process: Process) -> float:
    """Return the memory of a process and its children; what they share counts once (Linux)."""
    total = 0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total / 2**20
