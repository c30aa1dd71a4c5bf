"""A clock that jumps: an app of test settings that moves a process's time as a file says."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import time_machine
from django.apps import AppConfig

VARIABLE = "NOTIFIER_TEST_CLOCK"
"""Names the file that says by how many seconds the clock is ahead."""
POLL_S = 0.02


def _follow() -> None:
    traveller: time_machine.travel | None = None
    told = 0.0
    while True:
        wanted = 0.0
        with suppress(OSError, ValueError):
            wanted = float(Path(os.environ[VARIABLE]).read_text())
        if wanted != told:
            if traveller:
                traveller.stop()
            traveller = time_machine.travel(
                dt.datetime.now(dt.UTC) + dt.timedelta(seconds=wanted), tick=True
            )
            traveller.start()
            told = wanted
        time.sleep(POLL_S)


def start() -> None:
    """Follow the file, in a thread; in each forked process too."""
    threading.Thread(target=_follow, daemon=True).start()


class MovedClock(AppConfig):
    """Follows the file from the start on."""

    name = "tests.acceptance.faults.moved_clock"
    label = "moved_clock"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        """Follow."""
        start()
        os.register_at_fork(after_in_child=start)
