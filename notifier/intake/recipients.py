"""Recipients: usernames that must exist, and that can be reached."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth import get_user_model

from notifier.enrolling import enrol
from notifier.errors import InvalidEvent, Problem
from notifier.intake.schema import EventIn


def check_recipients(events: Sequence[EventIn], *, listed: bool) -> None:
    """Raise `InvalidEvent` for each recipient who doesn't exist; `listed` ones named by their place.

    Enrols who came by a way without signals, such as `bulk_create`: else `recipients` would
    silently reach nobody.
    """
    wanted = {name for event in events for name in event.recipients or ()}
    if not wanted:
        return
    model = get_user_model()
    users = model.objects.select_related("notifier_preferences")
    known = users.in_bulk(wanted, field_name=model.USERNAME_FIELD)  # in portions where need be
    problems = [
        Problem(
            f"{f'[{number}].' if listed else ''}recipients[{index}]", f"there is no user {name!r}"
        )
        for number, event in enumerate(events)
        for index, name in enumerate(event.recipients or ())
        if name not in known
    ]
    if problems:
        raise InvalidEvent(problems)
    for user in known.values():
        if not hasattr(user, "notifier_preferences"):
            enrol(user)
