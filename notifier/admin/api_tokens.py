"""People's tokens for the API: how they start, never more."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.admin.owners import OWNER
from notifier.admin.readonly import ReadOnlyAdmin
from notifier.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Shows tokens, and revokes them; `notifier token` and the API make them."""

    fields = readonly_fields = (
        *("user", "name", "prefix", "scopes", "made_by"),
        *("created", "expires", "last_used", "revoked_at"),
    )
    list_display = ("prefix", "user", "name", "scopes", "expires", "last_used", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "prefix", OWNER)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Follow Django's permission to change them, though nothing else of them can be changed."""
        return request.user.has_perm("notifier.change_apitoken")

    @admin.action(description="Revoke, with all that were made with them", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke the chosen tokens."""
        for token in queryset.select_related("user"):
            token.revoke()
        self.message_user(request, f"{len(queryset)} tokens are revoked.")
