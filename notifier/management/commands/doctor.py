"""`notifier doctor`: is anything stuck?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from notifier.diagnosing import diagnose


class Command(BaseCommand):
    """Looks at the live system; exits 1 where something is not well."""

    help = "Say whether anything is stuck: overdue rows, dead workers' claims, queues, the sweep."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one line per finding."""
        findings = diagnose()
        if options["json"]:
            self.stdout.write(json.dumps([each.as_dict() for each in findings], indent=2))
        else:
            for each in findings:
                mark = self.style.SUCCESS("ok ") if each.well else self.style.ERROR("NOT")
                self.stdout.write(f"{mark} {each.subject}: {each.sentence}")
        if not all(each.well for each in findings):
            sys.exit(1)
