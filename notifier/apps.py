"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate, post_save, pre_migrate


class NotifierConfig(AppConfig):
    """Connects the signals of users and of migrations, and the system checks."""

    name = "notifier"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect what must always be listening."""
        from notifier import checks, signals  # noqa: F401, PLC0415 - need the models loaded

        post_save.connect(
            signals.user_saved, sender=settings.AUTH_USER_MODEL, dispatch_uid="notifier.enrol"
        )
        pre_migrate.connect(
            signals.before_migrate, sender=self, dispatch_uid="notifier.before_migrate"
        )
        post_migrate.connect(signals.log_changes, sender=self, dispatch_uid="notifier.log_changes")
        post_migrate.connect(
            signals.enrol_existing_users, sender=self, dispatch_uid="notifier.enrol_existing"
        )
