"""Calling a plugin, whichever of Argus's or Notifier's signatures it was written to."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ValidationError

from notifier.errors import PermanentError, Reason, SettingsUnreadable, TemporaryError, frames
from notifier.media import changing, validating
from notifier.media.base import NotificationMedium
from notifier.media.destinations import Destination, Destinations
from notifier.media.events import tell
from notifier.media.outcomes import Outcome, attempt
from notifier.texts import cut, one_line

if TYPE_CHECKING:
    from notifier.models import DestinationConfig, Event

log = logging.getLogger(__name__)

MAX_LABEL = 150


def send(
    medium: NotificationMedium, event: Event, destinations: Iterable[Destination], session: Any
) -> Iterator[Outcome]:
    """Send one event through a medium; yield each destination's outcome.

    A `send()` of Argus's kind gets one destination at a time, so that one failure touches one
    recipient.
    """
    told = tell(event)
    if not is_old_style(medium):
        yield from medium.send(told, destinations, session=session)
        return
    old: Callable[..., object] = medium.send
    for destination in destinations:
        yield attempt(
            medium.MEDIA_SLUG, lambda to: _said(old(told, Destinations([to]))), destination
        )


def is_old_style(medium: NotificationMedium) -> bool:
    """Whether `send()` answers with a bool, as in Argus.

    One that yields outcomes is a generator, or at least takes the `session`.
    """
    function = _function(medium, "send")
    return not (
        inspect.isgeneratorfunction(function) or "session" in inspect.signature(function).parameters
    )


def _said(answer: object) -> str:
    if isinstance(answer, Iterator):  # nothing of it has run
        raise TemporaryError(
            Reason.BUG, "send() returned outcomes, and must take `session` as the base class does"
        )
    if not isinstance(answer, int):
        # sending it again might double it
        raise PermanentError(
            Reason.UNCLEAR, f"send() returned {type(answer).__name__}, neither True nor False"
        )
    if not answer:
        raise TemporaryError(Reason.DEFERRED, "send() returned False")
    return "send() returned True"


def settings_for(medium: NotificationMedium, destination: DestinationConfig) -> dict[str, Any]:
    """Return a destination's settings as the medium validates them; raise `ValidationError`.

    `validate()` has had three shapes: `(data, user, instance=None)`, which returns a form; before,
    `(serializer, data, user)` and `(serializer, data)`, which return the settings.
    """
    user, settings = destination.user, destination.settings
    instance = None if destination._state.adding else destination  # noqa: SLF001 - Django documents it
    if not validates_itself(type(medium)):
        return medium.validate_settings(settings, user, instance=instance)
    data = {"label": destination.label, "media": destination.media, "settings": settings}
    request = SimpleNamespace(user=user)
    serializer = SimpleNamespace(instance=instance, initial_data=data, context={"request": request})
    old: Callable[..., Any] = medium.validate
    try:
        match _by_position(old):
            case [_, "user", *_]:
                return dict(medium.validate(data, user, instance).cleaned_data["settings"])
            case [_, _]:
                found = dict(old(serializer, data))
            case _:
                found = dict(old(serializer, data, user))
    except FieldError as error:
        raise ValidationError(f"This medium's validate() can't be used here: {error}") from error
    validating.refuse_duplicate(type(medium), found, user, instance)
    return found


def update(
    medium: NotificationMedium, destination: DestinationConfig, validated_data: Mapping[str, Any]
) -> DestinationConfig:
    """Change a destination as its medium does; one that answers None leaves it to us, as in Argus."""
    changed = medium.update(destination, validated_data)
    return changing.update(destination, validated_data) if changed is None else changed


def label_for(
    medium: NotificationMedium, destination: DestinationConfig, *, with_address: bool
) -> str:
    """Return how a destination is shown that has no label of its own; never raise.

    It is what the medium says, at most 150 characters; its name instead where that holds a secret,
    or the settings can't be read. Without addresses it is the name too where the address is no
    secret.
    """
    try:
        secrets = medium.SECRETS
        if not (with_address or secrets is None or medium.MEDIA_SETTINGS_KEY in secrets):
            return medium.MEDIA_NAME
        settings = destination.settings
        label = str(medium.get_label(destination))
        hidden = [settings.get(name) for name in (settings if secrets is None else secrets)]
    except SettingsUnreadable:
        return medium.MEDIA_NAME
    except Exception as error:  # noqa: BLE001 - a plugin's bug over one destination stops nothing
        log.error(  # noqa: TRY400 - frames only: the text may quote an address
            "destination %s has no label: %s\n%s",
            destination.pk,
            type(error).__name__,
            frames(error),
        )
        return medium.MEDIA_NAME
    if any(str(each) in label for each in hidden if each):
        return medium.MEDIA_NAME
    return cut(one_line(label), MAX_LABEL) or medium.MEDIA_NAME


def validates_itself(plugin: type[NotificationMedium]) -> bool:
    """Whether a plugin has a `validate()` of its own, as all had in Argus before 2026."""
    return _function(plugin, "validate") is not _function(NotificationMedium, "validate")


def _function(owner: object, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(owner, name)
    return getattr(method, "__func__", method)


def _by_position(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return [each.name for each in parameters if each.kind in kinds]
