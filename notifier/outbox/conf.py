"""The outbox's settings, which are the host's; read anew each time, so that tests can change them."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from notifier.client.posting import HTTP


def url() -> str:
    """Return where to post: Redis's URL, or the server's."""
    return _text("NOTIFIER_OUTBOX_URL")


def token() -> str | None:
    """Return the source's token; for HTTP."""
    return _text("NOTIFIER_OUTBOX_TOKEN") or None


def master() -> str | None:
    """Return what sentinels call the Redis to use; for `sentinel://`."""
    return _text("NOTIFIER_OUTBOX_MASTER") or None


def source() -> str:
    """Return the name of the source that posts."""
    return _text("NOTIFIER_OUTBOX_SOURCE")


def keep_days() -> Any:
    """Return how long sent rows are kept; the system check says whether it is a number."""
    return getattr(settings, "NOTIFIER_OUTBOX_KEEP_DAYS", 7)


def by_token() -> bool:
    """Whether a token says who posts, and so nobody else can be named."""
    return url().startswith(HTTP)


def _text(name: str) -> str:
    return str(getattr(settings, name, None) or "")
