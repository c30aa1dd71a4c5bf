"""`notifier purge`: delete what is old."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from rich.progress import Progress

from notifier import conf
from notifier.models import Attempt, DailyCount, Delivery, Event
from notifier.retention.choosing import Keep, purgeable_events, purgeable_refusals
from notifier.retention.purging import purge

Subject = DailyCount.Subject


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < 36_500:  # noqa: PLR2004 - nor NaN
        raise ArgumentTypeError(f"{text!r}: write a number of days, such as 90")
    return days


class Command(BaseCommand):
    """Deletes old events with all that belongs to them."""

    help = (
        "Delete old events with their deliveries and attempts, closed incidents that have none left, "
        "and refused events that were dealt with. What waits is kept. Their counts stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the ages."""
        parser.add_argument(
            "--older-than",
            type=_days,
            metavar="DAYS",
            help=f"since an event came and its last delivery ended; else {conf.KEEP_DAYS.name}",
        )
        parser.add_argument(
            "--failed-older-than",
            type=_days,
            metavar="DAYS",
            help=f"the same for what failed or was refused; else {conf.KEEP_FAILED_DAYS.name}",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Purge, with a progress bar; print what was done."""
        days, failed_days = options["older_than"], options["failed_older_than"]
        keep = Keep(
            conf.KEEP_DAYS() if days is None else days,
            conf.KEEP_FAILED_DAYS() if failed_days is None else failed_days,
        )
        if options["dry_run"]:
            self.stdout.write(_sentence("would be deleted", _count(keep)))
            return
        done: Counter[str] = Counter()
        # at most so many: to know which of them are over would take as long as to delete them
        total = Event.objects.filter(received__lt=keep.since).count()
        total += purgeable_refusals(keep).count()
        with Progress(transient=True) as progress:
            bar = progress.add_task("purging", total=total)
            for step in purge(keep):
                done += step
                progress.advance(bar, step[Subject.EVENT] + step[Subject.QUARANTINED])
        self.stdout.write(_sentence("deleted", done))


def _count(keep: Keep) -> Counter[str]:
    events = purgeable_events(keep).order_by()
    return Counter(
        {
            Subject.EVENT: events.count(),
            Subject.DELIVERY: Delivery.objects.filter(event__in=events).count(),
            Subject.ATTEMPT: Attempt.objects.filter(delivery__event__in=events).count(),
            Subject.QUARANTINED: purgeable_refusals(keep).count(),
        }
    )


def _sentence(what: str, counts: Counter[str]) -> str:
    return (
        f"{counts[Subject.EVENT]} events, {counts[Subject.DELIVERY]} deliveries, "
        f"{counts[Subject.ATTEMPT]} attempts and {counts[Subject.QUARANTINED]} refused events {what}."
    )
