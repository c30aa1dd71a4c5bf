"""Who was told, and every try of it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.admin.owners import OWNER
from notifier.admin.readonly import ReadOnlyAdmin, ReadOnlyInline
from notifier.delivering.replaying import replay
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
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whoever may change deliveries may send failed ones again."""
        return request.user.has_perm("notifier.change_delivery")

    @admin.action(description="Send again what failed", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Make the chosen failed deliveries due again; leave the others alone."""
        self.message_user(request, f"{sum(replay(queryset))} failed deliveries are due again.")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """Signs of life."""

    list_display = ("name", "at")
