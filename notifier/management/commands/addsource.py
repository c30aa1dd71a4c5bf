"""`notifier addsource`: let something post events."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from notifier.models import SigningSecret, Source, SourceToken


class Command(BaseCommand):
    """Makes a source, or another token for one; the token is shown once."""

    help = "Make a source of events and print its token; again: print another token for it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("name", help="such as shop, or alertmanager-oslo")
        parser.add_argument(
            "--signing-secret",
            action="store_true",
            help="print a secret to sign posts with (Standard Webhooks), instead of a token",
        )
        parser.add_argument("--type", default="app", help="the kind of system; default: app")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make it; print only the token on standard output."""
        source = Source.objects.filter(name=options["name"]).first()
        if source is None:
            source = Source(name=options["name"], type=options["type"])
            try:
                source.full_clean()
            except ValidationError as error:
                raise CommandError("; ".join(error.messages)) from error
            source.save()
        if options["signing_secret"]:
            self.stderr.write(
                f"Signing secret of source {source.name!r}, which is not shown again. It posts to "
                f"/api/v1/intake/signed/{source.pk}:"
            )
            self.stdout.write(SigningSecret.issue(source))
            return
        self.stderr.write(f"Token of source {source.name!r}; it is not shown again:")
        self.stdout.write(SourceToken.issue(source))
