"""What happened, and what was refused."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.admin.readonly import ReadOnlyAdmin, ReadOnlyInline
from notifier.delivering.replaying import match_again
from notifier.intake import quarantined
from notifier.models import Delivery, Event, Incident, QuarantinedEvent


class DeliveryInline(ReadOnlyInline):
    """Who was told of an event."""

    model = Delivery
    fields = readonly_fields = (
        "user",
        "medium",
        "destination_label",
        "state",
        "reason",
        "attempts",
    )
    show_change_link = True


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events, newest first, with their deliveries."""

    list_display = ("description", "type", "level", "source", "received", "state")
    list_filter = ("state", "level", "type", "source")
    list_select_related = ("source",)
    search_fields = ("=id", "description", "source_event_id")
    date_hierarchy = "received"
    ordering = ("-received",)
    inlines = (DeliveryInline,)
    actions = ("match_again",)

    def has_match_permission(self, request: HttpRequest) -> bool:
        """Whoever may change events may have quarantined ones matched again."""
        return request.user.has_perm("notifier.change_event")

    @admin.action(description="Match again what could not be matched", permissions=["match"])
    def match_again(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        """Let the chosen quarantined events wait for dispatch again; leave the others alone."""
        self.message_user(request, f"{match_again(queryset)} events wait to be matched again.")


class EventInline(ReadOnlyInline):
    """The events of an incident, in their order."""

    model = Event
    fields = readonly_fields = ("sequence", "type", "level", "description", "timestamp", "state")
    ordering = ("sequence",)
    show_change_link = True


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """Incidents and their events."""

    list_display = ("description", "source", "incident_key", "level", "open", "acked", "start_time")
    list_filter = ("open", "acked", "level", "source")
    list_select_related = ("source",)
    search_fields = ("incident_key", "description")
    ordering = ("-start_time",)
    inlines = (EventInline,)


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    """Refused events: mend the cause, then try them again."""

    list_display = ("source_name", "reason", "received", "resolved_at")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "source_name")
    actions = ("try_again", "give_up")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whoever may change refused events may deal with them."""
        return request.user.has_perm("notifier.change_quarantinedevent")

    @admin.action(description="Try again", permissions=["resolve"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent]) -> None:
        """Post the payloads as they came; what is refused again gets a row with the new reason."""
        counts = quarantined.try_again(queryset.filter(resolved_at=None))
        self.message_user(
            request,
            "{accepted} accepted, {repeated} were here before, {quarantined} refused again.".format(
                **counts
            ),
        )

    @admin.action(description="Give up", permissions=["resolve"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent]) -> None:
        """Mark as dealt with; the rows stay."""
        self.message_user(request, f"{quarantined.give_up(queryset)} marked as dealt with.")
