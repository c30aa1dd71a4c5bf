"""The medium contract: how a plugin sends, and what it says of itself.

A medium only sends. It chooses no recipients, retries nothing, counts nothing and touches no
database; it answers for each destination, or raises `TemporaryError` or `PermanentError`. A new
one writes `Form`, `render` and `send_one`; everything else has a default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings as site
from django.utils import timezone, translation

from notifier.errors import DeliveryError
from notifier.limits import Rate
from notifier.media import changing, schema, validating
from notifier.media.destinations import Destination, Medium
from notifier.media.outcomes import Outcome, Status, attempt
from notifier.messages import described
from notifier.placeholders import fill

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from notifier.models import DestinationConfig, Event

__all__ = ["Destination", "Medium", "NotificationMedium", "Outcome", "Status"]


class NotificationMedium:
    """Base class of every medium. One instance serves a process for all its life: keep no state.

    What Argus has too keeps its name and shape, class methods included.
    """

    MEDIA_SLUG: ClassVar[str]
    MEDIA_NAME: ClassVar[str]
    MEDIA_SETTINGS_KEY: ClassVar[str] = validating.OnlySetting()  # type: ignore[assignment]
    """The field of `Form` that holds the address; may be left out where only one is required."""
    SECRETS: ClassVar[Sequence[str] | None] = None
    """The fields of `Form` that are encrypted in the database and shown masked; None: all of them."""
    MEDIA_JSON_SCHEMA: ClassVar[Mapping[str, Any]] = schema.OfForm()  # type: ignore[assignment]
    """JSON Schema of a destination's settings; left out, it is that of `Form`."""

    BATCH_SIZE: ClassVar[int] = 100
    """Deliveries claimed at once."""
    RETRY_DELAYS: ClassVar[Sequence[float]] = (5, 30, 120, 600, 1800, 3600, 7200, *(14400,) * 10)
    """Seconds after the 1st, 2nd, … failed attempt; used up, the delivery has failed."""
    CONCURRENCY: ClassVar[int] = 1
    """Sends of a batch that run at once, each in a thread with a session of its own."""
    RATE_LIMIT: ClassVar[Sequence[Rate]] = ()
    """What the provider takes from this site, over all workers; likewise from each host …"""
    HOST_RATE_LIMIT: ClassVar[Sequence[Rate]] = ()
    DESTINATION_RATE_LIMIT: ClassVar[Sequence[Rate]] = ()
    """… and at each destination. A site may say otherwise in `NOTIFIER_RATE_LIMITS`."""
    GONE_AFTER: ClassVar[int] = 1
    """So many answers in a row that it is gone disable a destination."""
    OWN_TEXT: ClassVar[bool] = True
    """Whether users may write a text in place of the description; not for what programs read."""
    REQUIRED_SETTINGS: ClassVar[Sequence[str]] = ()
    """Names of the Django settings without which the medium can't work."""

    class Form(forms.Form):
        """Validates and cleans a destination's `settings`."""

    class NotDeletableError(Exception):
        """A destination is in use, or follows its user's address; the text says which."""

    @classmethod
    def validate(
        cls, data: Mapping[str, Any], user: User, instance: DestinationConfig | None = None
    ) -> forms.Form:
        """Return a valid form of `label`, `media` and `settings`; raise `ValidationError`.

        `instance` is the destination that is to be changed; what `data` lacks stays as it is.
        """
        return validating.validate(cls, data, user, instance)

    @classmethod
    def validate_settings(
        cls, data: object, user: User | None = None, instance: DestinationConfig | None = None
    ) -> dict[str, Any]:
        """Return the settings as they are to be stored; raise `ValidationError` by field.

        With a user, also where they have that destination already, as another than `instance`.
        """
        settings = validating.clean_settings(cls, data)
        if user:
            validating.refuse_duplicate(cls, settings, user, instance)
        return settings

    @classmethod
    def has_duplicate(cls, queryset: Any, settings: Mapping[str, Any]) -> bool:
        """Whether one of some destinations has the same address as these settings."""
        canonical = cls().canonical_address
        known = {canonical(each.settings) for each in queryset if changing.is_readable(each)}
        return canonical(settings) in known

    def canonical_address(self, settings: Mapping[str, Any]) -> str:
        """Return what makes two destinations the same one."""
        return str(settings.get(self.MEDIA_SETTINGS_KEY, ""))

    def get_host(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002 - for those with hosts
        """Return the host that a destination is reached through; a dead one holds back no other.

        Empty where all of a medium goes through one, such as a mail server.
        """
        return ""

    @classmethod
    def get_label(cls, destination: Any) -> str:
        """Return how a destination without a label of its own is shown: its address, if no secret."""
        if cls.SECRETS is None or cls.MEDIA_SETTINGS_KEY in cls.SECRETS:
            return " ".join(filter(None, (cls.MEDIA_NAME, cls().get_host(destination.settings))))
        return str(destination.settings.get(cls.MEDIA_SETTINGS_KEY, ""))

    @classmethod
    def get_relevant_address(cls, destination: Any) -> Any:
        """Return where to send to: what the settings hold under `MEDIA_SETTINGS_KEY`."""
        return destination.settings[cls.MEDIA_SETTINGS_KEY]

    @classmethod
    def get_relevant_destinations(cls, destinations: Iterable[Any]) -> set[Any]:
        """Return those destinations that are this medium's."""
        return {each for each in destinations if each.media_id == cls.MEDIA_SLUG}

    @classmethod
    def get_relevant_addresses(cls, destinations: Iterable[Any]) -> set[Any]:
        """Return the addresses of those destinations that are this medium's."""
        return {
            cls.get_relevant_address(each) for each in cls.get_relevant_destinations(destinations)
        }

    @classmethod
    def raise_if_not_deletable(cls, destination: DestinationConfig) -> None:
        """Raise `NotDeletableError` for a destination that is in use, or follows an address."""
        if problem := changing.why_not_deletable(destination):
            raise cls.NotDeletableError(problem)

    @staticmethod
    def update(
        destination: DestinationConfig, validated_data: Mapping[str, Any]
    ) -> DestinationConfig | None:
        """Change a destination's `label` and `settings`, as validated; return it.

        A synced one that is given another address becomes one of the user's own, and a new synced
        one takes its place.
        """
        return changing.update(destination, validated_data)

    def session(self) -> AbstractContextManager[Any]:
        """Open what a whole batch sends through, such as one SMTP connection."""
        return nullcontext()

    def send(
        self, event: Event, destinations: Iterable[Destination], *, session: Any = None
    ) -> Iterator[Outcome]:
        """Send one event; yield each destination's outcome as soon as it is known.

        Nothing raised for one destination touches another. What would be the same is rendered once.
        """
        rendered: dict[tuple[str, str, str], Any] = {}

        def send(to: Destination) -> str:
            key = (to.language, to.time_zone, to.template)
            if key not in rendered:
                try:
                    rendered[key] = self.render_for(event, *key)
                except DeliveryError as error:
                    rendered[key] = error
            if isinstance(rendered[key], DeliveryError):
                raise rendered[key]
            return self.send_one(rendered[key], to, session)

        for destination in destinations:
            yield attempt(self.MEDIA_SLUG, send, destination)

    def render_for(self, event: Event, language: str, time_zone: str, template: str = "") -> Any:
        """Return the message of an event in a language, a time zone and, if any, a user's own text.

        Empty means the site's. A medium writes `render`, which this calls.
        """
        zone = time_zone or timezone.get_default_timezone()
        with translation.override(language or site.LANGUAGE_CODE), timezone.override(zone):
            if template and self.OWN_TEXT and (text := fill(template, event)):
                event = described(event, text)
            return self.render(event)

    def render(self, event: Event) -> Any:
        """Return the message of an event: what `send_one` needs, the same for every recipient.

        The recipient's language and time zone are active.
        """
        raise NotImplementedError(f"{type(self).__qualname__}.render")

    def preview(self, message: Any) -> dict[str, str]:
        """Return a message's parts by name, as a person can read them."""
        if is_dataclass(message) and not isinstance(message, type):
            message = asdict(message)
        if isinstance(message, Mapping):
            return {str(name): _readable(part) for name, part in message.items()}
        return {"message": _readable(message)}

    def send_one(self, message: Any, destination: Destination, session: Any) -> str:
        """Send to one destination; return the provider's answer, or raise `DeliveryError`."""
        raise NotImplementedError(f"{type(self).__qualname__}.send_one")


def _readable(part: Any) -> str:
    if isinstance(part, Enum):
        part = part.value
    if isinstance(part, bytes):
        part = part.decode(errors="replace")
    if isinstance(part, str):
        with suppress(ValueError):
            found = json.loads(part)
            part = found if isinstance(found, dict) else part
    if isinstance(part, dict | list | tuple):
        return json.dumps(part, ensure_ascii=False, indent=2, default=str)
    return str(part)
