"""`notifier preview`: show what would be sent, without sending it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from notifier.errors import DeliveryError
from notifier.management.asked import event_id, event_of, user_named
from notifier.media.registry import all_media
from notifier.models import DestinationConfig, Event
from notifier.previewing import NoPreview, Preview, preview, sample
from notifier.texts import visible


class Command(BaseCommand):
    """Renders for a destination, or for a user and a medium."""

    help = "Show what would be sent of an event, or of an invented one of each type."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which event, and for whom."""
        parser.add_argument("event", nargs="?", type=event_id, help="an event's id")
        parser.add_argument("--type", choices=Event.Type.values, help="only this invented event")
        to = parser.add_mutually_exclusive_group(required=True)
        to.add_argument("--destination", type=int, metavar="ID", help="as its owner would get it")
        to.add_argument("--medium", metavar="SLUG", help="such as email")
        parser.add_argument(
            "--user", metavar="NAME", help="whose language and time zone, with --medium"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print each message, part by part."""
        to, user = self._recipient(options)
        for event in self._events(options):
            try:
                found = preview(event, to, user)
            except DeliveryError as error:
                raise CommandError(error.answer or str(error)) from error
            except (ImproperlyConfigured, NoPreview) as error:
                raise CommandError(str(error)) from error
            self._show(event, found)

    def _recipient(self, options: dict[str, Any]) -> tuple[DestinationConfig | str, Any]:
        pk, slug, name = options["destination"], options["medium"], options["user"]
        if slug is None:
            if name is not None:
                raise CommandError("--user goes with --medium: a destination has its owner.")
            with_owner = DestinationConfig.objects.select_related("user__notifier_preferences")
            if (destination := with_owner.filter(pk=pk).first()) is None:
                raise CommandError(f"--destination: there is none with the id {pk}.")
            return destination, None
        if slug not in all_media():
            raise CommandError(f"--medium: {slug!r} is none of {', '.join(all_media())}.")
        if name is None:
            return slug, None
        return slug, user_named(name)

    def _events(self, options: dict[str, Any]) -> list[Event]:
        if (pk := options["event"]) is None:
            types = [options["type"]] if options["type"] else Event.Type.values
            return [sample(each) for each in types]
        if options["type"]:
            raise CommandError(
                "--type is for invented events: leave it out, or leave out the event's id."
            )
        return [event_of(pk)]

    def _show(self, event: Event, found: Preview) -> None:
        self.stdout.write(
            f"=== {event.type} by {found.medium}, {found.language}, {found.time_zone}"
        )
        for template in found.templates:
            self.stdout.write(f"    {template}")
        for name, text in found.parts.items():
            self.stdout.write(f"--- {name}")
            self.stdout.write(visible(text))
