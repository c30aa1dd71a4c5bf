"""A Celery app that does nothing, as plain as Celery gets."""

from __future__ import annotations

import os

from celery import Celery

QUEUE = "noop"

app = Celery("bench", broker=os.environ["REDIS_URL"], set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_default_queue=QUEUE,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.nothing")
def nothing() -> None:
    """Do nothing."""
