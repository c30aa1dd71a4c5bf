"""What is held back: paused by an operator, full, or its breaker open."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.admin.readonly import ReadOnlyAdmin
from notifier.delivering import gating
from notifier.media.registry import all_media
from notifier.models import Gate


@admin.register(Gate)
class GateAdmin(ReadOnlyAdmin):
    """Gates of media, hosts and destinations."""

    list_display = ("__str__", "paused", "closed_until", "reason", "failures", "trips", "changed")
    list_filter = ("medium", "paused", "reason")
    list_select_related = ("destination",)
    search_fields = ("host",)
    actions = ("pause", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Gate]:
        """Show every medium, so that each can be paused."""
        Gate.objects.bulk_create([Gate(medium=slug) for slug in all_media()], ignore_conflicts=True)
        return super().get_queryset(request)  # type: ignore[return-value] # of this model

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whoever may change gates may open and close them."""
        return request.user.has_perm("notifier.change_gate")

    @admin.action(description="Hold back until resumed", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        """Pause the chosen media and hosts; a destination is its owner's."""
        gates = queryset.filter(destination=None)
        for gate in gates:
            gating.pause(gate.medium, gate.host)
        self.message_user(request, f"{len(gates)} are held back.")

    @admin.action(description="Open, whatever closed it", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        """Open the chosen gates."""
        self.message_user(request, f"{gating.open_all(queryset)} are open.")
