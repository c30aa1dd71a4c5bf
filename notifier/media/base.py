"""The medium contract: how a plugin sends, and what it says of itself.

A medium only sends. It chooses no recipients, retries nothing, counts nothing and touches no
database; it answers for each destination, or raises `TemporaryError` or `PermanentError`. A new
one writes `Form`, `render` and `send_one`; everything else has a default.
"""

from __future__ import annotations

import enum
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings as site
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError, frames
from notifier.limits import Rate
from notifier.messages import described
from notifier.placeholders import fill

if TYPE_CHECKING:
    from notifier.models import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Medium:
    """What `destination.media` offers, as Argus's plugins read it."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Destination:
    """One recipient of a send: what a medium may know of a user's `DestinationConfig`.

    `message_key` is the same in every try of the same delivery: build Message-IDs and
    idempotency keys from it. Two are equal when their keys are. `language` and `time_zone` are its
    owner's (empty: the site's), `template` is the owner's own text in place of the description.
    """

    message_key: str
    pk: int = field(compare=False)
    media: Medium = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False, repr=False)
    label: str = field(compare=False, repr=False)
    username: str = field(compare=False)
    language: str = field(default="", compare=False)
    time_zone: str = field(default="", compare=False)
    template: str = field(default="", compare=False, repr=False)

    @property
    def media_id(self) -> str:
        """The medium's slug."""
        return self.media.slug


class Status(enum.StrEnum):
    """How one send ended."""

    SENT = "sent"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the send to one destination ended; times in seconds."""

    destination: Destination
    status: Status
    answer: str
    started_at: datetime
    duration_s: float
    reason: Reason | None = None
    retry_after_s: float | None = None
    whole_host: bool = False
    """Whether “too fast” was said to the whole host, not to this destination alone."""

    def sane(self) -> Outcome:
        """Return the same in values that can be recorded, whatever a plugin put in."""
        sent = self.status is Status.SENT
        reason = self.reason if isinstance(self.reason, Reason) else Reason.BUG
        wait_s = self.retry_after_s
        return replace(
            self,
            answer=self.answer.encode(errors="replace").decode()
            if isinstance(self.answer, str)
            else "",
            reason=None if sent else reason,
            retry_after_s=float(wait_s) if isinstance(wait_s, int | float) else None,
        )

    @classmethod
    def unanswered(cls, destination: Destination) -> Outcome:
        """Return the outcome for a destination of which a medium said nothing: its bug."""
        return cls(
            destination=destination,
            status=Status.TEMPORARY,
            answer="the medium gave no answer",
            started_at=datetime.now(UTC),
            duration_s=0.0,
            reason=Reason.BUG,
        )


class NotificationMedium:
    """Base class of every medium. One instance serves a process for all its life: keep no state."""

    MEDIA_SLUG: ClassVar[str]
    MEDIA_NAME: ClassVar[str]
    MEDIA_SETTINGS_KEY: ClassVar[str]
    """The field of `Form` that holds the address."""

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

    def validate_settings(self, settings: object) -> dict[str, Any]:
        """Return the settings as they are to be stored; raise `ValidationError` by field."""
        if not isinstance(settings, Mapping):
            raise ValidationError(
                f'Settings must be an object like {{"{self.MEDIA_SETTINGS_KEY}": …}}.'
            )
        unknown = sorted(set(settings) - set(self.Form.base_fields))
        if unknown:
            known = ", ".join(self.Form.base_fields)
            raise ValidationError(
                f"{', '.join(unknown)}: unknown; a {self.MEDIA_NAME} destination has {known}."
            )
        form = self.Form(dict(settings))
        if not form.is_valid():
            raise ValidationError(
                [f"{name}: {text}" for name, texts in form.errors.items() for text in texts]
            )
        return form.cleaned_data

    def canonical_address(self, settings: Mapping[str, Any]) -> str:
        """Return what makes two destinations the same one."""
        return str(settings.get(self.MEDIA_SETTINGS_KEY, ""))

    def get_host(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002 - for those with hosts
        """Return the host that a destination is reached through; a dead one holds back no other.

        Empty where all of a medium goes through one, such as a mail server.
        """
        return ""

    def get_label(self, destination: Any) -> str:
        """Return how a destination without a label of its own is shown."""
        return str(destination.settings.get(self.MEDIA_SETTINGS_KEY, ""))

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
            yield self._try(send, destination)

    def _try(self, send: Callable[[Destination], str], destination: Destination) -> Outcome:
        started_at, start = datetime.now(UTC), time.monotonic()
        reason: Reason | None = None
        retry_after_s: float | None = None
        whole_host = False
        status = Status.TEMPORARY
        try:
            answer, status = send(destination), Status.SENT
        except PermanentError as error:
            status, reason, answer = Status.PERMANENT, error.reason, error.answer
        except TemporaryError as error:
            reason, answer, retry_after_s = error.reason, error.answer, error.retry_after
            whole_host = error.whole_host
        except Exception as error:  # noqa: BLE001 - the one edge that isolates a destination
            # Frames only: the exception's own text may quote an address or a secret.
            log.error(  # noqa: TRY400
                "medium %s: %s while sending %s\n%s",
                self.MEDIA_SLUG,
                type(error).__name__,
                destination.message_key,
                frames(error),
            )
            reason, answer = Reason.BUG, type(error).__name__
        return Outcome(
            destination=destination,
            status=status,
            answer=answer,
            started_at=started_at,
            duration_s=time.monotonic() - start,
            reason=reason,
            retry_after_s=retry_after_s,
            whole_host=whole_host,
        )

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
    if isinstance(part, bytes):
        return part.decode(errors="replace")
    if isinstance(part, dict | list | tuple):
        return json.dumps(part, ensure_ascii=False, indent=2, default=str)
    return str(part)
