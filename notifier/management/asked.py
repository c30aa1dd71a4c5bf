"""What commands are asked about: found, or a sentence that says what to write."""

from __future__ import annotations

import uuid
from argparse import ArgumentTypeError
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from notifier.models import Event


def event_id(text: str) -> uuid.UUID:
    """Parse an argument that is an event's id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no event's id; `notifier send` prints one, the admin lists them"
        ) from None


def event_of(pk: uuid.UUID) -> Event:
    """Return an event, its source and incident loaded."""
    event = Event.objects.select_related("source", "incident").filter(pk=pk).first()
    if event is None:
        raise CommandError(f"There is no event {pk}.")
    return event


def user_named(name: str) -> Any:
    """Return the user of `--user NAME`."""
    users = get_user_model()
    user = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()  # noqa: SLF001 - Django's own name
    if user is None:
        raise CommandError(f"--user: there is no {name!r}.")
    return user
