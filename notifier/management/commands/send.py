"""`notifier send`: post an event from the command line, and watch what becomes of it."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifier.errors import ConflictingEvent, InvalidEvent
from notifier.explaining import verdicts
from notifier.intake.notifying import notify
from notifier.models import Delivery, Event

POLL_S = 0.1
SHOWN_PROFILES = 20
_FINAL = frozenset({Delivery.State.SENT, Delivery.State.FAILED, Delivery.State.CANCELLED})


class Command(BaseCommand):
    """Posts by `notify()`; with --watch it follows the deliveries to their end."""

    help = "Post an event; with --watch follow its deliveries until each has ended."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the fields of an event, and how long to watch."""
        parser.add_argument("description")
        parser.add_argument("--type", help="STA, END, …; LES (stateless) without --incident-key")
        parser.add_argument("--level", type=int, help="1 (critical) … 5 (information)")
        parser.add_argument("--tag", action="append", dest="tags", metavar="KEY=VALUE")
        parser.add_argument("--recipient", action="append", dest="recipients", metavar="USERNAME")
        parser.add_argument("--source", help="who posts; made by `notifier addsource`")
        parser.add_argument("--incident-key")
        parser.add_argument("--source-event-id", help="the same twice is one event")
        parser.add_argument("--details-url")
        parser.add_argument("--watch", action="store_true", help="follow the deliveries")
        parser.add_argument("--timeout", type=float, default=60.0, help="seconds; default: 60")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Post, print the id, and exit 1 where watching saw a delivery fail or time run out."""
        fields = [
            "type",
            "level",
            "tags",
            "recipients",
            "source",
            "incident_key",
            "source_event_id",
            "details_url",
        ]
        try:
            event_id = notify(options["description"], **{name: options[name] for name in fields})
        except (InvalidEvent, ConflictingEvent) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(event_id))
        if options["watch"] and not self._watch(event_id, time.monotonic() + options["timeout"]):
            sys.exit(1)

    def _watch(self, event_id: UUID, deadline: float) -> bool:
        shown: dict[int, str] = {}
        while time.monotonic() < deadline:
            dispatched = Event.objects.exclude(state=Event.State.ACCEPTED).filter(pk=event_id)
            complete = dispatched.exists()  # asked first: then no delivery can be missing below
            deliveries = list(Delivery.objects.filter(event=event_id).order_by("pk"))
            for delivery in deliveries:
                self._show(delivery, shown)
            if complete and all(each.state in _FINAL for each in deliveries):
                if not deliveries:
                    self._explain(Event.objects.select_related("source").get(pk=event_id))
                return all(each.state == Delivery.State.SENT for each in deliveries)
            time.sleep(POLL_S)
        self.stderr.write("Not ended in time; it goes on all the same. See `notifier doctor`.")
        return False

    def _show(self, delivery: Delivery, shown: dict[int, str]) -> None:
        line = f"{delivery.medium} to {delivery.user}: {delivery.state}"
        if delivery.reason:
            line += f" ({delivery.get_reason_display()})"
        if delivery.state == Delivery.State.PENDING and delivery.attempts:
            wait_s = max((delivery.due_at - timezone.now()).total_seconds(), 0)
            line += f", try {delivery.attempts + 1} in {wait_s:.0f} s"
        if shown.get(delivery.pk) != delivery.state:
            shown[delivery.pk] = delivery.state
            self.stdout.write(line)

    def _explain(self, event: Event) -> None:
        self.stdout.write("Nobody is told:")
        for verdict in islice(verdicts(event), SHOWN_PROFILES):
            self.stdout.write(f"  {verdict.user}, “{verdict.name}”: {verdict.sentence}")
