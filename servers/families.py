"""Processes that belong together."""

import os
from contextlib import suppress

import psutil


def members(group: int) -> list[psutil.Process]:
    """List the processes in a process group, but for its leader."""
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if pid != group and os.getpgid(pid) == group:
                members.append(psutil.Process(pid))
    return members


def alive(process: psutil.Process) -> bool:
    """Say whether it still runs; an orphan nobody reaps (a container without init) does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
