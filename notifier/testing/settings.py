"""The least Django settings that a medium's tests need.

`DJANGO_SETTINGS_MODULE = "notifier.testing.settings"` in a plugin's pytest configuration; a plugin
with templates or settings of its own has a module that begins with
`from notifier.testing.settings import *`.
"""

from __future__ import annotations

SECRET_KEY = "for tests only, and therefore no secret"  # noqa: S105
NOTIFIER_FINGERPRINT_KEY = "for tests only, and therefore no secret"
NOTIFIER_ENCRYPTION_KEYS = ["Zm9yIHRlc3RzIG9ubHksIGFuZCBzbyBubyBzZWNyZXQ="]
NOTIFIER_QUEUE = None
NOTIFIER_LIMITER = None
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "notifier"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_FROM_EMAIL = "notifier@example.org"
USE_TZ = True
MEDIA_PLUGINS: list[str] = []
