"""Notifications from any web application: ``from notifier import notify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.intake.notifying import notify

__all__ = ["notify"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `notifier.client` costs a producer without Django nothing.
    if name == "notify":
        from notifier.intake.notifying import notify  # noqa: PLC0415 - lazy on purpose

        return notify
    raise AttributeError(f"module 'notifier' has no attribute {name!r}")
