"""`notifier token`: let a user's programs use the API."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifier.models import ApiToken, Scope


class Command(BaseCommand):
    """Makes a token; it is shown once."""

    help = "Make a token for the API and print it; the admin lists and revokes them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", help="whose it is, by user name")
        parser.add_argument("--name", required=True, help="what it is for, such as: status board")
        parser.add_argument(
            "--scope",
            action="append",
            choices=[each.value for each in Scope],
            help="what it may be used for; may be given several times. Default: read",
        )
        parser.add_argument("--expires", type=float, metavar="DAYS", help="default: never")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make it; print only the token on standard output."""
        model = get_user_model()
        user = model.objects.filter(**{model.USERNAME_FIELD: options["user"]}).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        try:
            made, token = ApiToken.issue(
                user,
                name=options["name"],
                scopes=options["scope"] or [Scope.READ],
                expires=_in_days(options["expires"]),
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stderr.write(f"Token {made.name!r} of {user}; it is not shown again:")
        self.stdout.write(token)


def _in_days(days: float | None) -> dt.datetime | None:
    if days is None:
        return None
    try:
        return timezone.now() + dt.timedelta(days=days)
    except (OverflowError, ValueError) as error:
        raise CommandError("--expires is a number of days, such as 365.") from error
