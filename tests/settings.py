"""The service's settings, as the tests want them."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "tests-only-" + "0" * 40)
os.environ.setdefault("NOTIFIER_FINGERPRINT_KEY", "tests-only-" + "1" * 40)
os.environ.setdefault("NOTIFIER_ENCRYPTION_KEYS", "tests-only-" + "2" * 32 + "=")
os.environ.setdefault("NOTIFIER_HTTPS", "false")
os.environ.setdefault("SMS_GATEWAY_ADDRESS", "sms@gateway.example")
os.environ.setdefault(
    "MEDIA_PLUGINS",
    "notifier.media.email.EmailNotification,notifier.media.sms_as_email.SMSNotification",
)
# A file, not memory: the acceptance tests' processes open it too.
_SQLITE = f"{tempfile.gettempdir()}/notifier-tests-{os.getpid()}.sqlite3"
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_SQLITE}")

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, INSTALLED_APPS  # noqa: E402

# The outbox is an app of other applications: beside the server it is in the tests alone.
INSTALLED_APPS = [*INSTALLED_APPS, "notifier.outbox"]
NOTIFIER_OUTBOX_URL = "redis://127.0.0.1:1/0"
NOTIFIER_OUTBOX_SOURCE = "shop"

NOTIFIER_QUEUE = "tests.recording.RecordingQueue"
NOTIFIER_LIMITER = None
NOTIFIER_API_RATE = ""
WHITENOISE_AUTOREFRESH = True  # else it warns of a directory that only `collectstatic` makes
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": f"{_SQLITE}-test"}
