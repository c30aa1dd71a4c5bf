"""Rows that people look at and never write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
    TabularInline = admin.TabularInline[Model, Model]
else:  # generic in their stubs alone
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline


class _ReadOnly:
    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, ModelAdmin):
    """Shows rows; offers no change."""

    # counting millions of rows for the page's foot would take longer than the page itself
    show_full_result_count = False
    # what Django 6 assumes; before, it warns where nothing is said
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Follow Django's permissions."""
        return super().has_view_permission(request, obj)


class ReadOnlyInline(_ReadOnly, TabularInline):
    """Shows rows on their parent's page."""

    extra = 0


class OwnedAdmin(ModelAdmin):
    """Rows of a user, for good: what leads to them would lead to somebody else's otherwise."""

    autocomplete_fields: ClassVar[tuple[str, ...]] = ("user",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """Fix the owner once the row is there."""
        fixed = () if obj is None else ("user",)
        return (*super().get_readonly_fields(request, obj), *fixed)
