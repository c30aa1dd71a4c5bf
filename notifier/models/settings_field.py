"""The column `settings`: a plain dict in Python, its secrets encrypted in the row."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ValidationError
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import pre_save

from notifier.errors import SettingsUnreadable
from notifier.masking import masked, unmasked
from notifier.media.registry import find_medium
from notifier.sealing import SEALED, reseal, seal, unseal

if TYPE_CHECKING:
    from notifier.models.destination import DestinationConfig


class Stored:
    """What is in the column: the attribute `settings` of its own row opens it, nothing else does."""

    def __init__(self, column: dict[str, Any]) -> None:
        self.column = column


class _Raw(Stored):
    """The same on its way from a fixture into the database; it stays closed."""


class _Opening(DeferredAttribute):
    """Opens at the first look, so that a row which can't be read spoils no query of many."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if type(value) is Stored:
            value = unseal(value.column, row_of(instance))
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = _closed(value)


class SettingsField(models.JSONField):
    """Settings of a `DestinationConfig`: written by saving one, and never searched.

    Forms show them masked, and a mask that comes back keeps its value; fixtures hold them encrypted;
    `.values()` gives a `Stored` where there are secrets. What would write them as they are, such as
    `.update()`, raises `FieldError`; looking at some that can't be read raises `SettingsUnreadable`.
    """

    descriptor_class = _Opening

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False
    ) -> None:
        """Listen for fixtures: Django saves these without asking `pre_save`."""
        super().contribute_to_class(cls, name, private_only)
        pre_save.connect(self._seal_raw, sender=cls)

    def deconstruct(self) -> Any:
        """Be a JSONField to migrations, as the column is one."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Leave secrets closed."""
        return _closed(super().from_db_value(value, expression, connection))

    def pre_save(self, model_instance: Any, add: bool) -> Any:  # noqa: ARG002 - Django's own
        """Seal what is open."""
        value = model_instance.__dict__[self.attname]
        if not isinstance(value, dict):
            return value
        return Stored(seal(value, secrets_of(model_instance), row_of(model_instance)))

    def get_prep_value(self, value: Any) -> Any:
        """Let nothing into the database that was not sealed for its row."""
        if not isinstance(value, Stored):
            raise FieldError(
                "settings are encrypted for each row: give them to a DestinationConfig and save it."
            )
        return value.column

    def get_lookup(self, lookup_name: str) -> Any:
        """Refuse to search."""
        raise _not_searched(lookup_name)

    def get_transform(self, name: str) -> Any:
        """Refuse to look inside."""
        raise _not_searched(name)

    def value_from_object(self, obj: Any) -> Any:
        """Return what a form shows."""
        return shown(obj)

    def save_form_data(self, instance: Any, data: Any) -> None:
        """Take what a form brings back."""
        take_shown(instance, data)

    def value_to_string(self, obj: Any) -> Any:
        """Return what a fixture holds."""
        return self.pre_save(obj, add=False).column

    def _seal_raw(self, instance: Any, raw: bool, **_kwargs: Any) -> None:
        if raw:
            instance.__dict__[self.attname] = _Raw(self.value_to_string(instance))


def row_of(destination: DestinationConfig) -> str:
    """Return what the settings of a destination are bound to: its user, medium and address."""
    return f"{destination.user_id} {destination.media_id} {destination.fingerprint}"


def secrets_of(destination: DestinationConfig) -> Collection[str] | None:
    """Return the names of a destination's secret settings; None: all, as of an unknown medium."""
    medium = find_medium(destination.media_id)
    return medium.SECRETS if medium else None


def unreadable(destination: DestinationConfig) -> str:
    """Return why the settings of a destination can't be read; empty where they can."""
    try:
        _ = destination.settings
    except SettingsUnreadable as error:
        return str(error)
    return ""


def shown(destination: DestinationConfig) -> dict[str, Any]:
    """Return the settings as people see them, secrets masked; empty where they can't be read."""
    if unreadable(destination):
        return {}
    return masked(destination.settings, secrets_of(destination))


def take_shown(destination: DestinationConfig, new: Any) -> None:
    """Set settings that were `shown` and come back, changed or not.

    Raise `ValidationError` of the field for the mask of something else.
    """
    old = {} if unreadable(destination) else destination.settings
    try:
        destination.settings = unmasked(new, old, secrets_of(destination))
    except ValidationError as error:
        raise ValidationError({"settings": error.messages}) from error


def resealed(destination: DestinationConfig) -> Stored | None:
    """Return the settings of a row just loaded as they would be stored now; None where they are so.

    Raise `SettingsUnreadable`.
    """
    value = destination.__dict__["settings"]
    sealed = isinstance(value, Stored)
    if not sealed and find_medium(destination.media_id) is None:
        return None  # nobody here knows what of it is secret
    column = reseal(value.column if sealed else value, secrets_of(destination), row_of(destination))
    return None if column is None else Stored(column)


def _closed(value: Any) -> Any:
    return Stored(value) if isinstance(value, dict) and SEALED in value else value


def _not_searched(name: str) -> FieldError:
    return FieldError(
        f"settings can't be searched ({name}): they may be encrypted. Compare fingerprints, or look "
        "at each DestinationConfig."
    )
