"""Post an event from any Celery application: nothing of Notifier is imported.

REDIS_URL=redis://127.0.0.1:6379/0 python celery_client.py "Order 4711 is on its way" anna
"""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery

app = Celery("shop", broker=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
# Celery's own waits for a Redis that hangs have no end; with these they end after 3 seconds.
_LIMITS = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
app.conf.broker_transport_options = {"socket_timeout": 1, "socket_connect_timeout": 1, **_LIMITS}
app.conf.task_publish_retry_policy = _LIMITS


def tell(event: dict[str, Any]) -> str:
    """Post an event, which names its source; return its id, if it has no `source_event_id`.

    Raises kombu's `OperationalError` while Redis can't be reached.
    """
    sent = app.send_task(
        "notifier.ingest",
        [event],
        queue="events",
        ignore_result=True,
        argsrepr="(an event)",  # what Flower shows, in place of the event's text
    )
    return sent.id


if __name__ == "__main__":
    print(tell({"source": "shop", "description": sys.argv[1], "recipients": sys.argv[2:]}))
