"""The app that does nothing, consumed as Notifier's own queues are."""

from __future__ import annotations

from bench.raw.noop import app

app.conf.update(
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    worker_send_task_events=True,
)
