"""Celery logs as Django's `LOGGING` says, not by handlers of its own."""

from __future__ import annotations

import logging.config
from typing import Any

from celery.signals import setup_logging
from django.conf import settings


def _configure(**_kwargs: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)


def connect() -> None:
    """Take over from Celery's own set-up; without a `LOGGING` of the site's, leave that alone."""
    if settings.LOGGING:
        setup_logging.connect(_configure, weak=False, dispatch_uid="notifier.logs")
