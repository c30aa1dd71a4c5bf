"""A person's own time zone and language."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel

from notifier.api.callers import CallerRequest
from notifier.api.fields import LEFT_OUT, of
from notifier.api.operations import Operations
from notifier.api.strict import Given
from notifier.api.versions import require_version
from notifier.enrolling import enrol
from notifier.models import Preferences

operations = Operations("preferences")


class ShownPreferences(BaseModel):
    """What messages and timeslots go by."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"time_zone": "Europe/Oslo", "language": "nb"}

    time_zone: str
    language: Annotated[str, of(Preferences, "language")]


class PreferencesChange(Given):
    """What is to be another; the rest stays."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"time_zone": "Europe/Oslo"}

    time_zone: Annotated[str, of(Preferences, "time_zone")] = LEFT_OUT
    language: Annotated[str, of(Preferences, "language")] = LEFT_OUT


@operations.get(
    "/preferences", summary="Show your preferences", returns=ShownPreferences, versioned=True
)
def get_preferences(request: CallerRequest) -> ShownPreferences:
    """Show the time zone that your timeslots are in, and the language of what you are told."""
    return _shown(_own(request))


@operations.patch("/preferences", summary="Change your preferences", returns=ShownPreferences)
def change_preferences(request: CallerRequest, body: PreferencesChange) -> ShownPreferences:
    """Change your time zone, by a name such as Europe/Oslo, or your language."""
    preferences = _own(request)
    require_version(request, _shown(preferences))
    if preferences._state.adding:  # noqa: SLF001 - Django documents it
        enrol(request.auth.user)  # the row says that this was done
        preferences = _own(request)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(preferences, name, value)
    preferences.full_clean()
    preferences.save()
    return _shown(preferences)


def _own(request: CallerRequest) -> Preferences:
    user = request.auth.user
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


def _shown(preferences: Preferences) -> ShownPreferences:
    return ShownPreferences(time_zone=preferences.time_zone, language=preferences.language)
