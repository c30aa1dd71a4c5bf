"""Events that belong to the transaction of a Django application with a database of its own.

::

    from notifier.outbox import notify

    with transaction.atomic():
        order.save()
        notify("Order shipped", recipients=["anna"])

`manage.py relayoutbox` posts them. Of Notifier's server nothing runs here.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if find_spec("django") is None:
    raise ImportError("notifier.outbox needs Django: pip install 'notifier-worker[outbox]'")

if TYPE_CHECKING:
    from notifier.outbox.writing import notify, notify_many

__all__ = ["notify", "notify_many"]


def __getattr__(name: str) -> Any:
    # Lazy, because an app's package is loaded before there may be models.
    if name in __all__:
        from notifier.outbox import writing  # noqa: PLC0415 - lazy on purpose

        return getattr(writing, name)
    raise AttributeError(f"module 'notifier.outbox' has no attribute {name!r}")
