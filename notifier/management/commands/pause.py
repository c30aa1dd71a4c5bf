"""`notifier pause`: hold back a medium."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifier.delivering import gating
from notifier.media.registry import all_media


def add_gate(parser: ArgumentParser) -> None:
    """Declare what names a gate."""
    parser.add_argument("medium", help="such as email")
    parser.add_argument("--host", default="", help="one host of it; left out: all of it")


def check_medium(slug: str) -> None:
    """Refuse a medium that this site lacks."""
    if slug not in all_media():
        raise CommandError(f"There is no medium {slug!r}; there are: {', '.join(all_media())}.")


class Command(BaseCommand):
    """Closes a gate for good."""

    help = "Hold back a medium, or one of its hosts; nothing is lost, it waits until `resume`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is held back."""
        add_gate(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Pause."""
        check_medium(options["medium"])
        gating.pause(options["medium"], options["host"])
        self.stdout.write("Paused. What is being sent just now goes on; the rest waits.")
