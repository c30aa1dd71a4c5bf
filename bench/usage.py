"""What processes use: CPU time and memory, children included."""

from __future__ import annotations

from collections.abc import Mapping
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


def memory_mib(workers: Mapping[str, Process], when: str) -> dict[str, float]:
    """Return the resident memory of each Celery worker's child: the one that works."""
    found = {}
    for part in ("events", "email"):
        children = _family(workers[part])[1:]
        found[f"rss.{part}.{when}"] = max(each.memory_info().rss for each in children) / 2**20
    return found


def resident_mib(process: Process) -> float:
    """Return the resident memory of a process with its children."""
    total = 0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total / 2**20
