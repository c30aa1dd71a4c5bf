"""Ctrl-C and SIGTERM: ending at once, but never between starting a program and noting it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked for the end."""


class Interrupts:
    """Raises `Interrupted` in the main thread for the first signal; the rest is ignored."""

    def __init__(self) -> None:
        self._asked = self._deaf = False
        self._held = False

    def __enter__(self) -> Self:
        for signum in SIGNALS:
            signal.signal(signum, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Stay deaf: what is left to do is the end of the process."""
        self.ignore()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a signal wait for the end of this block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked and not self._deaf:
            self._raise()

    def ignore(self) -> None:
        """Hear no signal from now on: cleaning up has begun, and is not to be broken off."""
        self._deaf = True

    def _take(self, _signum: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not (self._held or self._deaf):
            self._raise()

    def _raise(self) -> None:
        self._deaf = True
        raise Interrupted
