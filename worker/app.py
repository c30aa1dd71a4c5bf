"""The Celery app: `celery -A worker.app worker -Q …`.

Its settings hold for the service and for a host project alike; a site overrides single ones by
Django settings named `NOTIFIER_CELERY_…`, so that a host's own Celery is not touched.
"""

from __future__ import annotations

import os

import django
from celery import Celery

from worker import transport

transport.register()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from notifier import conf  # noqa: E402 - the settings must be there first
from notifier.checks import refuse_wrong_settings  # noqa: E402
from notifier.retention import purging  # noqa: E402
from worker import database, logs, memory, stopping, tasks, watchdog  # noqa: E402, F401 - registers the tasks
from worker.queues import declared, sentinel_options  # noqa: E402

refuse_wrong_settings()
app = Celery("notifier", set_as_current=True)
app.conf.update(
    broker_url=conf.REDIS_URL(),
    # named, because a CELERY_BROKER_URL in the environment, a host's own, would win over the above
    broker_read_url=conf.REDIS_URL(),
    broker_write_url=conf.REDIS_URL(),
    accept_content=["json"],
    task_ignore_result=True,
    task_queues=declared(),
    task_create_missing_queues=False,
    task_default_queue="maintenance",
    task_routes={
        "notifier.ingest": {"queue": "events"},
        "notifier.dispatch": {"queue": "events"},
        "notifier.sweep": {"queue": "maintenance"},
        "notifier.purge": {"queue": "maintenance"},
        "notifier.canaries": {"queue": "maintenance"},
    },
    task_time_limit=conf.HARD_TIME_LIMIT_S(),
    # acks early: the rows are the truth, and a late ack would only double the nudges
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    worker_consumer="worker.consumer:Consumer",
    worker_max_memory_per_child=memory.replace_above_kb(),
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    # the main process may be held up by Redis while a new child reports; Celery would kill it for that
    worker_proc_alive_timeout=60.0,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # what Redis answers while it is full, or has become a replica, is no reason to exit either
    broker_channel_error_retry=True,
    # `notifier.ingest` acks late: a killed worker's events come back after the visibility timeout
    broker_transport_options={
        "visibility_timeout": 900,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "retry_on_timeout": True,
        "health_check_interval": 5,
        **sentinel_options(),
    },
    CELERY_DB_REUSE_MAX=database.CELERY_CLOSES_AFTER,
    beat_scheduler="worker.beat:Scheduler",
    beat_max_loop_interval=max(conf.SWEEP_INTERVAL_S() / 2, 0.05),
    beat_schedule={
        "sweep": {
            "task": "notifier.sweep",
            "schedule": conf.SWEEP_INTERVAL_S(),
            "options": {"queue": "maintenance"},
        },
        "purge": {
            "task": "notifier.purge",
            "schedule": purging.INTERVAL_S,
            "options": {"queue": "maintenance"},
        },
        "canaries": {
            "task": "notifier.canaries",
            "schedule": conf.CANARY_INTERVAL_S(),
            "options": {"queue": "maintenance"},
        },
    },
)
app.config_from_object("django.conf:settings", namespace="NOTIFIER_CELERY")
database.connect()
logs.connect()
stopping.connect()
watchdog.connect()
memory.connect()
