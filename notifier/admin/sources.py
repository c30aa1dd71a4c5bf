"""Sources and their tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from notifier.admin.readonly import ModelAdmin, ReadOnlyInline
from notifier.models import Source, SourceToken


class TokenInline(ReadOnlyInline):
    """A source's tokens: how they start, never more."""

    model = SourceToken
    fields = readonly_fields = ("prefix", "created", "revoked_at")


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    """A new source gets its token shown once."""

    list_display = ("name", "type", "created")
    list_filter = ("type",)
    search_fields = ("name",)
    inlines = (TokenInline,)
    actions = ("issue_token", "revoke_tokens")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save; a new source gets a token."""
        super().save_model(request, obj, form, change)
        if not change:
            self._issue(request, obj)

    @admin.action(description="Issue another token", permissions=["change"])
    def issue_token(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Give each chosen source one more token, for rotation."""
        for source in queryset:
            self._issue(request, source)

    @admin.action(description="Revoke all tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Shut the chosen sources out of the HTTP intake, from now on."""
        revoked = SourceToken.objects.filter(source__in=queryset, revoked_at=None).update(
            revoked_at=Now()
        )
        self.message_user(request, f"{revoked} tokens revoked.")

    def _issue(self, request: HttpRequest, source: Source) -> None:
        self.message_user(
            request,
            f"Token of {source}: {SourceToken.issue(source)} — copy it now, it is not shown again.",
            messages.WARNING,
        )
