"""A host's settings, as few as there can be; Notifier asks for what follows the line."""

from __future__ import annotations

import os

import django

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"

# --- what Notifier needs ---------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "shop",
    "notifier",
]

# The texts of mails are Django templates inside the app.
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# PostgreSQL needs none of these options, SQLite all: IMMEDIATE and the timeout, or whoever reads
# before writing meets "database is locked"; WAL, or reading waits for writing; FULL, so that what
# was accepted outlives a power cut.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", "shop.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}

# 32 characters or more; it can't be changed later.
NOTIFIER_FINGERPRINT_KEY = os.environ["NOTIFIER_FINGERPRINT_KEY"]
# Fernet keys, the first of which encrypts what is secret of destinations.
NOTIFIER_ENCRYPTION_KEYS = os.environ["NOTIFIER_ENCRYPTION_KEYS"].split(",")
NOTIFIER_REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
NOTIFIER_DEFAULT_SOURCE = "shop"  # whose events notify() posts; "local" if not set

# Mail goes where all of Django's mail goes. A time limit, because Django's default has none.
DEFAULT_FROM_EMAIL = "shop@example.org"
SMTP_HOST, SMTP_PORT = os.environ.get("SMTP", "127.0.0.1:25").split(":")
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": SMTP_HOST, "port": int(SMTP_PORT), "timeout": 15},
        }
    }
else:
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = SMTP_HOST, int(SMTP_PORT), 15
