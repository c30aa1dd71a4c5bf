"""`notifier replay`: send again what failed."""

from __future__ import annotations

import contextlib
import datetime as dt
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, QuerySet
from rich.progress import Progress

from notifier.delivering.replaying import DEFAULT_RATE, replay, replayable
from notifier.errors import Reason
from notifier.models import Delivery


def _moment(text: str) -> dt.datetime:
    with contextlib.suppress(ValueError):
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo:
            return moment
    raise ArgumentTypeError(f"{text!r}: write it as 2026-11-23T09:30:00+01:00")


def _rate(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r}: write a whole number of rows a second, 1 or more")
    return int(text)


class Command(BaseCommand):
    """Makes failed deliveries due again."""

    help = "Send failed deliveries again; choose them by medium, reason, time or destination."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what chooses rows, and how fast they go."""
        parser.add_argument("--medium", help="such as email")
        parser.add_argument("--reason", choices=[reason.value for reason in Reason])
        parser.add_argument("--since", type=_moment, help="failed at or after this time")
        parser.add_argument("--until", type=_moment, help="failed before this time")
        parser.add_argument("--destination", type=int, help="id of one destination")
        parser.add_argument("--all", action="store_true", help="everything that failed")
        parser.add_argument("--rate", type=_rate, default=DEFAULT_RATE, help="rows a second")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Replay, with a progress bar; print what was done."""
        rows = replayable(self._chosen(options))
        if options["dry_run"]:
            counts = rows.order_by("medium", "reason").values_list("medium", "reason")
            for medium, reason, count in counts.annotate(Count("pk")):
                self.stdout.write(f"{medium}, {reason}: {count}")
            return
        total, done = rows.count(), 0
        with Progress(transient=True) as progress:
            bar = progress.add_task("replaying", total=total)
            for step in replay(rows, rate=options["rate"]):
                done += step
                progress.advance(bar, step)
        seconds = max(-(-total // options["rate"]) - 1, 0)
        self.stdout.write(f"{done} deliveries are due again, the last one in {seconds} s.")

    def _chosen(self, options: dict[str, Any]) -> QuerySet[Delivery]:
        columns = {
            "medium": "medium",
            "reason": "reason",
            "since": "finished_at__gte",
            "until": "finished_at__lt",
            "destination": "destination",
        }
        chosen = {column: options[name] for name, column in columns.items() if options[name]}
        if not chosen and not options["all"]:
            raise CommandError(
                "Choose by --medium, --reason, --since, --until or --destination, or say --all."
            )
        return Delivery.objects.filter(**chosen)
