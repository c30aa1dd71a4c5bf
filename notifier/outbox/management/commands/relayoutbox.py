"""`relayoutbox`: post what the outbox holds, until told to end."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections

from notifier.outbox import conf
from notifier.outbox.relaying import FIRST_WAIT_S, Counts, purge, relay

log = logging.getLogger(__name__)

IDLE_S = 1.0
PURGE_EVERY_S = 3600.0


class Command(BaseCommand):
    """Relays until SIGTERM or SIGINT, which end it after the batch at hand."""

    help = "Posts what the outbox holds to Notifier; several may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how much, and how long."""
        parser.add_argument("--once", action="store_true", help="end when nothing is due")
        parser.add_argument("--batch", type=int, default=100, help="rows at a time (100)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Relay; with --once, say what became of it."""
        if not 1 <= options["batch"] <= 1000:  # noqa: PLR2004 - as many as the server takes at once
            raise CommandError("--batch must be from 1 to 1000.")
        if not conf.url() or not conf.source():
            raise CommandError("NOTIFIER_OUTBOX_URL and NOTIFIER_OUTBOX_SOURCE must be set.")
        try:
            if options["once"]:
                self._once(options["batch"])
            else:
                self._until_stopped(options["batch"])
        except ValueError as error:
            raise CommandError(f"NOTIFIER_OUTBOX_URL, _TOKEN or _MASTER: {error}.") from error

    def _once(self, batch: int) -> None:
        total = Counts()
        while True:
            counts = relay(batch)
            total.sent += counts.sent
            total.refused += counts.refused
            total.delayed += counts.delayed
            if counts.delayed or not counts.sent + counts.refused:
                break
        purge()
        self.stdout.write(
            f"{total.sent} sent, {total.refused} refused, {total.delayed} delayed"
            + (f": {counts.cause}" if counts.cause else "")
        )

    def _until_stopped(self, batch: int) -> None:
        stop = threading.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stop.set())
        purged_at = float("-inf")
        while not stop.is_set():
            close_old_connections()
            try:
                if time.monotonic() - purged_at > PURGE_EVERY_S:
                    purge()
                    purged_at = time.monotonic()
                wait_s = self._batch(batch)
            except Error as error:
                log.warning("the outbox's database fails: %s", type(error).__name__)
                wait_s = FIRST_WAIT_S
            stop.wait(wait_s)

    def _batch(self, size: int) -> float:
        """Relay a batch; return how long to wait for the next one."""
        counts = relay(size)
        if counts.delayed:
            log.warning("%s; events wait in the outbox", counts.cause)
            return counts.retry_after_s
        return 0.0 if counts.sent + counts.refused else IDLE_S
