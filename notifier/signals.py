"""Users come and change their address, tables are migrated: what follows from it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connections

from notifier.enrolling import email_field, enrol
from notifier.matching.triggers import drop_triggers, make_triggers
from notifier.models import Preferences


def user_saved(
    instance: Any,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None = None,
    **_kwargs: Any,
) -> None:
    """Enrol a new user; follow a changed address. Not for fixtures, which bring their own rows."""
    if raw or not (created or update_fields is None or email_field(instance) in update_fields):
        return
    enrol(instance)


def enrol_existing_users(using: str = DEFAULT_DB_ALIAS, **_kwargs: Any) -> None:
    """Enrol who was there before Notifier, or came by `bulk_create`; after each `migrate`."""
    if Preferences._meta.db_table not in connections[using].introspection.table_names():
        return  # so far only another app was migrated, or this one back to nothing
    for user in get_user_model().objects.using(using).filter(notifier_preferences=None).iterator():
        enrol(user)


def before_migrate(using: str = DEFAULT_DB_ALIAS, plan: Any = (), **_kwargs: Any) -> None:
    """Take SQLite's triggers away where tables may be rebuilt, which they would prevent."""
    if plan and connections[using].vendor == "sqlite":
        drop_triggers(using)


def log_changes(using: str = DEFAULT_DB_ALIAS, **_kwargs: Any) -> None:
    """Have the database log what matching follows, also in tables that were rebuilt."""
    make_triggers(using)
