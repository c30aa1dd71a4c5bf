"""Notifications from any web application: ``from notifier import notify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.intake.notifying import notify, notify_many

__all__ = ["notify", "notify_many"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `notifier.client` costs a producer without Django nothing.
    if name in __all__:
        from notifier.intake import notifying  # noqa: PLC0415 - lazy on purpose

        return getattr(notifying, name)
    raise AttributeError(f"module 'notifier' has no attribute {name!r}")
