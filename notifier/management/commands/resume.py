"""`notifier resume`: open a gate, whoever closed it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from notifier.delivering import gating
from notifier.management.commands.pause import add_gate, check_medium


class Command(BaseCommand):
    """Opens a gate: paused, full, or its breaker open."""

    help = "Send again what waits behind a medium's or a host's gate, whatever closed it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what goes on."""
        add_gate(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Resume."""
        check_medium(options["medium"])
        known = gating.resume(options["medium"], options["host"])
        self.stdout.write("It goes on within a second." if known else "It was not held back.")
