"""The outbox's page in the host's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.outbox.models import OutboxEvent

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[OutboxEvent]
else:  # generic in its stubs alone
    ModelAdmin = admin.ModelAdmin


class StateFilter(admin.SimpleListFilter):
    """Waiting, refused or sent."""

    title = "state"
    parameter_name = "state"
    states: ClassVar[dict[str, dict[str, Any]]] = {
        "waiting": {"sent_at": None, "refused_at": None},
        "refused": {"refused_at__isnull": False},
        "sent": {"sent_at__isnull": False},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        """Return the choices."""
        return [(each, each) for each in self.states]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[OutboxEvent],
    ) -> QuerySet[OutboxEvent]:
        """Return the rows of one state."""
        return queryset.filter(**self.states.get(self.value() or "", {}))


@admin.register(OutboxEvent)
class OutboxEventAdmin(ModelAdmin):
    """Shows rows; what was refused can be tried again."""

    list_display = ("event_id", "source", "incident_key", "created", "state", "tries", "reason")
    list_filter = (StateFilter,)
    search_fields = ("event_id", "incident_key", "body", "reason")
    ordering = ("-pk",)
    actions = ("try_again",)
    show_full_result_count = False

    @admin.display(description="state")
    def state(self, row: OutboxEvent) -> str:
        """Say what became of it."""
        if row.sent_at:
            return "sent"
        return "refused" if row.refused_at else "waiting"

    @admin.action(description="Try again", permissions=["try_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> None:
        """Let what was refused be posted at once, before what waits behind it."""
        found = queryset.filter(refused_at__isnull=False).update(
            refused_at=None, reason="", next_try=None, tries=0
        )
        self.message_user(request, f"{found} to be posted again.", messages.SUCCESS)

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        """Whether this user may change rows, of which nothing else can be changed."""
        return request.user.has_perm("notifier_outbox.change_outboxevent")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody may: events come from the application."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody may: what was sent is deleted in time, and nothing else."""
        return False
