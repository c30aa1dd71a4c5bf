"""A child keeps its connection to the database from task to task, as Django does between requests.

Celery closes it before and after each task, which costs more than a small task itself: a new one, and a
new server process behind it that knows no table yet.
"""

from __future__ import annotations

import sys
from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections

CELERY_CLOSES_AFTER = sys.maxsize
"""For `CELERY_DB_REUSE_MAX`: so many tasks, which is never."""


def _renew(**_kwargs: Any) -> None:
    """Close what is broken, or older than `CONN_MAX_AGE`; what is kept is checked when it is used next."""
    close_old_connections()


def connect() -> None:
    """Renew connections by Django's rule at both ends of every task."""
    task_prerun.connect(_renew, weak=False, dispatch_uid="notifier.database")
    task_postrun.connect(_renew, weak=False, dispatch_uid="notifier.database")
