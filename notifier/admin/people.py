"""What users want to be told of, when and where."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from notifier.admin.owners import OWNER
from notifier.admin.readonly import OwnedAdmin
from notifier.media.registry import all_media
from notifier.models import (
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    TimeRecurrence,
    Timeslot,
)
from notifier.models.settings_field import shown, unreadable
from notifier.models.timeslot import day_bits, days_of

WEEKDAYS = [
    (day, name)
    for day, name in enumerate(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], start=1)
]


class RecurrenceForm(forms.ModelForm):  # type: ignore[type-arg] # generic in its stubs alone
    """Weekdays as boxes to tick."""

    days = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = TimeRecurrence
        fields = ("days", "start", "end")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["days"] = days_of(self.instance.days)

    def clean_days(self) -> int:
        """Pack the ticked boxes."""
        return day_bits(*self.cleaned_data["days"])


class RecurrenceInline(admin.TabularInline):  # type: ignore[type-arg]
    """A timeslot's recurrences."""

    model = TimeRecurrence
    form = RecurrenceForm
    extra = 0
    min_num = 1
    validate_min = True


@admin.register(Timeslot)
class TimeslotAdmin(OwnedAdmin):
    """Timeslots with their recurrences."""

    list_display = ("name", "user")
    search_fields = ("name", OWNER)
    inlines = (RecurrenceInline,)


@admin.register(Filter)
class FilterAdmin(OwnedAdmin):
    """Filters; their conditions are checked when saved."""

    list_display = ("name", "user", "conditions")
    search_fields = ("name", OWNER)


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses what belongs to another user."""

    class Meta:
        model = NotificationProfile
        fields = ("user", "name", "timeslot", "filters", "destinations", "active", "paused_until")

    def clean(self) -> dict[str, Any]:
        """Hold every part against the profile's owner."""
        data = super().clean() or self.cleaned_data
        for name in ("filters", "destinations"):
            if any(each.user_id != self._owner(data) for each in data.get(name, ())):
                self.add_error(name, f"Choose only the profile owner's {name}.")
        return data

    def _owner(self, data: dict[str, Any]) -> Any:
        return self.instance.user_id or getattr(data.get("user"), "pk", None)


@admin.register(NotificationProfile)
class NotificationProfileAdmin(OwnedAdmin):
    """Profiles."""

    form = ProfileForm
    list_display = ("name", "user", "timeslot", "active", "paused_until")
    list_filter = ("active",)
    list_select_related = ("user", "timeslot__user")
    search_fields = ("name", OWNER)
    autocomplete_fields = ("user", "timeslot", "filters", "destinations")


class DestinationForm(forms.ModelForm):  # type: ignore[type-arg]
    """Offers the media of this site."""

    media_id = forms.ChoiceField(label="Medium")

    class Meta:
        model = DestinationConfig
        fields = ("user", "media_id", "label", "settings", "template")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "settings" in self.fields:  # not on the page of a synced one, which is only shown
            media = all_media().values()
            choices = [(medium.MEDIA_SLUG, medium.MEDIA_NAME) for medium in media]
            self.fields["media_id"].choices = choices  # type: ignore[attr-defined]
            examples = "; ".join(
                f'{medium.MEDIA_NAME}: {{"{medium.MEDIA_SETTINGS_KEY}": "…"}}' for medium in media
            )
            self.fields["settings"].help_text = unreadable(self.instance) or examples


@method_decorator(sensitive_post_parameters("settings"), name="changeform_view")
@admin.register(DestinationConfig)
class DestinationConfigAdmin(OwnedAdmin):
    """Destinations; a synced one follows its user's address and can't be changed here."""

    form = DestinationForm
    list_display = ("destination", "user", "media_id", "managed", "disabled_at", "created")
    list_filter = ("media_id", "managed", ("disabled_at", admin.EmptyFieldListFilter))
    readonly_fields = ("shown_settings", "disabled_at", "disabled_reason")
    actions = ("enable",)
    list_select_related = ("user",)
    search_fields = ("label", OWNER)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Leave a synced destination alone: change the user's address instead."""
        return not getattr(obj, "managed", False) and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Show masked settings to who may not change them; Django would show these as they are."""
        may_write = (
            self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        )
        settings = "settings" if may_write else "shown_settings"
        return (
            *("user", "media_id", "label", settings, "template"),
            *("disabled_at", "disabled_reason"),
        )

    @admin.display(ordering="label")
    def destination(self, obj: DestinationConfig) -> str:
        """Return its label, else what its medium says of it."""
        return obj.shown_label

    @admin.display(description="settings")
    def shown_settings(self, obj: DestinationConfig) -> str:
        """Return the settings with their secrets masked, or why they can't be read."""
        return unreadable(obj) or json.dumps(shown(obj), ensure_ascii=False)

    @admin.action(description="Send to it again", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[DestinationConfig]) -> None:
        """Enable the chosen destinations, though the other side said that they are gone."""
        count = queryset.exclude(disabled_at=None).update(disabled_at=None, disabled_reason="")
        self.message_user(request, f"{count} destinations are sent to again.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Protect it from being deleted by itself; it goes with its user all the same."""
        found, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        protected = [*protected, *(str(each) for each in objs if each.managed)]
        return found, counts, perms_needed, protected


@admin.register(Preferences)
class PreferencesAdmin(OwnedAdmin):
    """Users' time zones and languages."""

    list_display = ("user", "time_zone", "language")
    search_fields = (OWNER,)
