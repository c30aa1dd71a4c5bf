"""`notifier rotatekeys`: encrypt the secrets of destinations and sources by the first key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import Progress

from notifier import conf
from notifier.models import DestinationConfig
from notifier.resealing import reseal_all, reseal_signing_secrets

NAMED = 10


class Command(BaseCommand):
    """Reseals every destination and every signing secret."""

    help = (
        f"Encrypt the secrets of all destinations and sources by the first key of {conf.ENCRYPTION_KEYS.name}; "
        "run it after a new first key, and once more before an old key is taken out."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Reseal, with a progress bar; print what was done, and exit 1 where some can't be read."""
        seen, changed = 0, 0
        unreadable: list[int] = []
        with Progress(transient=True) as progress:
            bar = progress.add_task("encrypting", total=DestinationConfig.objects.count())
            for step in reseal_all():
                seen += step.seen
                changed += step.changed
                unreadable += step.unreadable
                progress.advance(bar, step.seen)
        self.stdout.write(f"{changed} of {seen} destinations were stored anew.")
        signing = reseal_signing_secrets()
        if signing.seen:
            self.stdout.write(
                f"{signing.changed} of {signing.seen} signing secrets were stored anew."
            )
        if unreadable:
            ids = ", ".join(map(str, unreadable[:NAMED]))
            more = ", …" if len(unreadable) > NAMED else ""
            raise CommandError(
                f"{len(unreadable)} can't be read (ids {ids}{more}): put the key back that is missing "
                f"in {conf.ENCRYPTION_KEYS.name}, or have their settings written anew."
            )
        if signing.unreadable:
            raise CommandError(
                f"{len(signing.unreadable)} signing secrets can't be read: put the key back that is "
                f"missing in {conf.ENCRYPTION_KEYS.name}, or revoke them and issue others."
            )
