"""What `manage.py check` says of the outbox's settings."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from notifier.client.posting import transport
from notifier.outbox import conf


def check_settings(**_: Any) -> list[CheckMessage]:
    """Name each setting that is missing or wrong; none of them is shown."""
    found: list[CheckMessage] = []
    if not conf.source():
        found.append(
            Error(
                "NOTIFIER_OUTBOX_SOURCE is missing.",
                hint="Set it to the name of the source that posts (`notifier addsource`).",
                id="notifier_outbox.E001",
            )
        )
    if not conf.url():
        found.append(
            Error(
                "NOTIFIER_OUTBOX_URL is missing.",
                hint="Set it to where Notifier is: redis://… or https://….",
                id="notifier_outbox.E002",
            )
        )
    elif conf.by_token() and not conf.token():
        found.append(
            Error(
                "NOTIFIER_OUTBOX_TOKEN is missing.",
                hint="Set it to a token of the source (`notifier addsource`), or post by redis://….",
                id="notifier_outbox.E003",
            )
        )
    elif conf.source():
        found += _check_way()
    days = conf.keep_days()
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= 36_500:  # noqa: PLR2004 - a century
        found.append(
            Error(
                "NOTIFIER_OUTBOX_KEEP_DAYS must be a number of days from 0 to 36,500.",
                hint="Leave it out for 7.",
                id="notifier_outbox.E005",
            )
        )
    return found


def _check_way() -> list[CheckMessage]:
    try:
        transport(
            conf.url(), source=conf.source(), token=conf.token(), master=conf.master()
        ).close()
    except ValueError as error:
        return [
            Error(
                f"NOTIFIER_OUTBOX_URL, _TOKEN and _MASTER don't fit together: {error}.",
                id="notifier_outbox.E004",
            )
        ]
    return []
