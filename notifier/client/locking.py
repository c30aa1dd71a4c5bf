"""A lock between processes that goes when its holder does, however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from notifier.client import forking

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class ProcessLock:
    """A lock on a file, for one holder among all processes of the machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        forking.mind(self)

    def acquire(self) -> bool:
        """Whether it is ours now; raise `OSError` where the file can't be had."""
        if self._descriptor is not None:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one have it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def before_fork(self) -> None:
        """Nothing."""

    def after_fork(self, *, child: bool) -> None:
        """Leave it to the parent: what a child closes, its parent holds on."""
        if child:
            self.release()
