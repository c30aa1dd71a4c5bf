"""What was purged, as numbers."""

from __future__ import annotations

from django.contrib import admin

from notifier.admin.readonly import ReadOnlyAdmin
from notifier.models import DailyCount


@admin.register(DailyCount)
class DailyCountAdmin(ReadOnlyAdmin):
    """How many rows there were that are gone."""

    list_display = ("day", "subject", "source", "medium", "state", "reason", "count")
    list_filter = ("subject", "state", "medium", "source")
    date_hierarchy = "day"
