"""`notifier demo`."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Hands over to `python -m demo`, which has settings and a database of its own."""

    help = "Show the whole system at work on this machine, touching nothing outside itself."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take `--once`."""
        parser.add_argument("--once", action="store_true", help="check what arrived, then end")

    def handle(self, **options: Any) -> None:
        """Become the demo: this process has the site's settings already, and must not use them."""
        os.chdir(settings.BASE_DIR)
        flags = ["--once"] if options["once"] else []
        os.execv(sys.executable, [sys.executable, "-m", "demo", *flags])  # noqa: S606 - no shell wanted
