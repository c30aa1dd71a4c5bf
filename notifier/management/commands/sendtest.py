"""`notifier sendtest`: send a test to a destination, and watch it go."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifier.delivering.testing import Stage, send_test
from notifier.models import DestinationConfig

POLL_S = 0.1


class Command(BaseCommand):
    """Not `test`: a host project's own `manage.py test` would be gone."""

    help = "Send a test message to a destination, and print each stage with the provider's answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which destination, and how long to wait."""
        parser.add_argument("destination", type=int, help="its id, as the admin shows it")
        parser.add_argument("--timeout", type=float, default=60.0, help="seconds; default: 60")

    def handle(self, *_args: Any, destination: int, timeout: float, **_options: Any) -> None:
        """Send, print, and exit 1 where it was not sent, or not in time."""
        found = DestinationConfig.objects.filter(pk=destination).first()
        if found is None:
            raise CommandError(f"There is no destination {destination}; the admin lists them.")
        trial = send_test(found)
        if trial.note:
            self.stderr.write(trial.note)
        shown: list[Stage] = []
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = trial.has_ended()  # asked first: then no stage can be missing below
            stages = trial.stages()
            for stage in stages[len(shown) :]:
                self.stdout.write(_line(stage))
            shown = stages
            if ended:
                sys.exit(0 if shown[-1].name == "sent" else 1)
            time.sleep(POLL_S)
        self.stderr.write("Not ended in time; it goes on for an hour. See `notifier doctor`.")
        sys.exit(1)


def _line(stage: Stage) -> str:
    reason = f" ({stage.reason.replace('_', ' ')})" if stage.reason else ""
    answer = f": {stage.answer}" if stage.answer else ""
    again = f"; again at {timezone.localtime(stage.again_at):%H:%M:%S}" if stage.again_at else ""
    return f"{timezone.localtime(stage.at):%H:%M:%S.%f}  {stage.name}{reason}{answer}{again}"
