"""The service's settings without what lets a worker notice a connection that swallows everything."""

from __future__ import annotations

from config.settings import *  # noqa: F403

NOTIFIER_CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900, "health_check_interval": 0}
