"""Notifier's Celery app with task events off, until somebody turns them on as Flower does."""

from __future__ import annotations

from worker.app import app

app.conf.worker_send_task_events = False
