"""A Django application with a database of its own, and of Notifier the outbox alone."""

from __future__ import annotations

import os

SECRET_KEY = "tests-only"
USE_TZ = True
INSTALLED_APPS = ["notifier.outbox"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("HOST_DATABASE", ":memory:"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30},
    }
}
NOTIFIER_OUTBOX_URL = os.environ.get("POST_TO", "")
NOTIFIER_OUTBOX_TOKEN = os.environ.get("POST_TOKEN")
NOTIFIER_OUTBOX_SOURCE = "shop"
