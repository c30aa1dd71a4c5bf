"""The outbox as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class OutboxConfig(AppConfig):
    """Its table, command, admin page and system check."""

    name = "notifier.outbox"
    label = "notifier_outbox"
    verbose_name = "Notifier's outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the check."""
        from notifier.outbox.checks import check_settings  # noqa: PLC0415 - once settings are there

        register(check_settings)
