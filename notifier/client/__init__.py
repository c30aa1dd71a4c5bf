"""Post events from any Python program: no Django, no Celery, only kombu and redis.

::

    from notifier.client import Notifier

    notifier = Notifier("redis://localhost:6379/0", source="shop", spool=True)
    notifier.send("Order shipped", recipients=["anna"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notifier.client.events import MAX_BYTES
from notifier.client.notifier import Notifier

if TYPE_CHECKING:
    from notifier.client.over_redis import EVENTS_QUEUE, UNREACHABLE, connect, publish

__all__ = ["EVENTS_QUEUE", "MAX_BYTES", "UNREACHABLE", "Notifier", "connect", "publish"]


def __getattr__(name: str) -> Any:
    # Lazy, because kombu takes ten times as long to load as the rest.
    if name in __all__:
        from notifier.client import over_redis  # noqa: PLC0415 - lazy on purpose

        return getattr(over_redis, name)
    raise AttributeError(f"module 'notifier.client' has no attribute {name!r}")
