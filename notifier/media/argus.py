"""What Argus's plugins import besides their base class; docs/argus.md says which import becomes which."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from typing import Any, TypeVar

from notifier import conf, replies

T = TypeVar("T")

INFINITY = LOCAL_INFINITY = None
"""What `event.incident.end_time` is while the incident is open."""


def modelinstance_to_dict(obj: object) -> dict[str, Any]:
    """Return what an incident holds, by Argus's names."""
    return {name: value for name, value in vars(obj).items() if name != "_state"}


def are_notifications_enabled() -> bool:
    """Whether `SEND_NOTIFICATIONS` allows sending; Notifier sees to that before it calls a plugin."""
    return conf.SEND_NOTIFICATIONS()


def send_email_safely(
    function: Callable[..., T], additional_error: object = None, *args: Any, **kwargs: Any
) -> T:
    """Call a function that sends mail; raise `DeliveryError` where it fails, which is tried again.

    `additional_error` is not logged: the failure is recorded with the delivery.
    """
    del additional_error
    try:
        return function(*args, **kwargs)
    except (smtplib.SMTPException, OSError) as error:
        raise replies.translate(error) from error
