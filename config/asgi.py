"""For an ASGI server."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()

from notifier.checks import refuse_wrong_settings  # noqa: E402 - needs the settings

refuse_wrong_settings()
