"""The service's settings, as the tests want them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "tests-only-" + "0" * 40)
os.environ.setdefault("NOTIFIER_FINGERPRINT_KEY", "tests-only-" + "1" * 40)
os.environ.setdefault("NOTIFIER_HTTPS", "false")
os.environ.setdefault("SMS_GATEWAY_ADDRESS", "sms@gateway.example")
os.environ.setdefault(
    "MEDIA_PLUGINS",
    "notifier.media.email.EmailNotification,notifier.media.sms_as_email.SMSNotification",
)
os.environ.setdefault(
    "DATABASE_URL",
    f"sqlite:///{Path(tempfile.gettempdir()) / f'notifier-tests-{os.getuid()}.sqlite3'}",
)

from config.settings import *  # noqa: F403
