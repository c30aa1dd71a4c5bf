"""Who was told, and every try of it."""

from __future__ import annotations

from django.contrib import admin

from notifier.admin.owners import OWNER
from notifier.admin.readonly import ReadOnlyAdmin, ReadOnlyInline
from notifier.models import Attempt, Delivery, Heartbeat


class AttemptInline(ReadOnlyInline):
    """A delivery's tries."""

    model = Attempt
    fields = readonly_fields = (
        "number",
        "started_at",
        "duration_ms",
        "worker",
        "outcome",
        "reason",
        "answer",
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Deliveries, newest first, with their tries."""

    list_display = (
        "user",
        "medium",
        "state",
        "reason",
        "attempts",
        "due_at",
        "event",
    )
    list_filter = ("state", "medium", "reason", "kind")
    list_select_related = ("event", "user")
    search_fields = ("=event__id", OWNER, "destination_label")
    ordering = ("-pk",)
    inlines = (AttemptInline,)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """Signs of life."""

    list_display = ("name", "at")
