"""`notifier explain`: why was somebody told of an event, or not?"""

from __future__ import annotations

import datetime as dt
import json
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from notifier.explaining import Explanation, History, Verdict, explain, verdicts
from notifier.management.asked import event_id, event_of, user_named
from notifier.texts import visible


def _time(text: str) -> dt.datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time; write 2026-11-23T09:30 or …T09:30+01:00")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


class Command(BaseCommand):
    """Judges profiles as they are now, and shows each delivery's history."""

    help = "Say for each profile why it led to a delivery of an event, or what said no first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which event, and for whom."""
        parser.add_argument("event", type=event_id, help="an event's id")
        whom = parser.add_mutually_exclusive_group()
        whom.add_argument("--user", metavar="NAME", help="every profile of this user")
        whom.add_argument(
            "--everyone", action="store_true", help="every profile there is: a millisecond each"
        )
        parser.add_argument(
            "--at", type=_time, metavar="TIME", help="as if it had happened then; ISO 8601"
        )
        parser.add_argument("--json", action="store_true", help="print it as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what became of the event, profile by profile and delivery by delivery."""
        event = event_of(options["event"])
        users = None if options["user"] is None else [user_named(options["user"])]
        found = explain(event, users=users, at=options["at"])
        judged = verdicts(event, at=options["at"]) if options["everyone"] else found.verdicts
        if options["json"]:
            shown = found.as_dict()
            if options["everyone"]:
                shown |= {"verdicts": [asdict(each) for each in judged], "others": 0}
            self.stdout.write(json.dumps(shown, cls=DjangoJSONEncoder, indent=2))
            return
        self._write(f"{event.get_type_display()}, level {event.level}: {event.description}")
        self.stdout.write(f"from {event.source}, accepted {event.received:%F %T %Z}")
        self.stdout.write(found.sentence)
        for verdict in judged:
            self._show_verdict(verdict)
        if found.others and not options["everyone"]:
            self.stdout.write(
                f"{found.others} other profiles say no; --everyone or --user shows what did"
            )
        self._show_deliveries(found)

    def _show_verdict(self, verdict: Verdict) -> None:
        mark = self.style.SUCCESS("yes") if verdict.matches else self.style.WARNING("no ")
        said = visible(f"{verdict.user}, “{verdict.name}”: {verdict.sentence}")
        self.stdout.write(f"{mark} {said}")
        if verdict.changed:
            self.stdout.write(
                f"    {verdict.user}'s profiles changed since it was matched, at {verdict.changed:%F %T %Z}"
            )

    def _show_deliveries(self, found: Explanation) -> None:
        if not found.deliveries:
            self.stdout.write("No delivery.")
        for each in found.deliveries:
            self._show_delivery(each)

    def _show_delivery(self, delivery: History) -> None:
        reason = f" ({delivery.reason})" if delivery.reason else ""
        due = f", due {delivery.due_at:%F %T %Z}" if delivery.finished_at is None else ""
        self._write(
            f"{delivery.medium} to {delivery.user} ({delivery.destination}): {delivery.state}{reason}{due}"
        )
        if len(delivery.profiles) > 1:
            self.stdout.write(f"    told once, for {len(delivery.profiles)} profiles")
        for each in delivery.tries:
            reason = f" ({each.reason})" if each.reason else ""
            answer = f": {each.answer}" if each.answer else ""
            self._write(
                f"    try {each.number}, {each.started_at:%F %T %Z}, {each.duration_ms} ms: "
                f"{each.outcome}{reason}{answer}"
            )

    def _write(self, line: str) -> None:
        """Write what others wrote, its controls spelt out."""
        self.stdout.write(visible(line))
