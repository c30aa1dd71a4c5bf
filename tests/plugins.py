"""Media that misbehave, one that only counts, and one that posts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from notifier.errors import PermanentError, Reason, TemporaryError
from notifier.http import HTTPSession, host_of
from notifier.media.base import Destination, NotificationMedium, Outcome
from notifier.models import Event

SECRET = "S3CR3T"


class Counting(NotificationMedium):
    """Does what the address says: `ok`, `later`, `never`, `bug`; remembers what it sent."""

    MEDIA_SLUG = "counting"
    MEDIA_NAME = "Counting"
    MEDIA_SETTINGS_KEY = "address"
    BATCH_SIZE = 50

    sent: ClassVar[list[str]] = []

    class Form(forms.Form):
        address = forms.CharField()

    def render(self, event: Event) -> str:
        return event.description

    def send_one(self, message: str, destination: Destination, _session: Any) -> str:
        match destination.settings["address"].split("-")[0]:
            case "later":
                raise TemporaryError(Reason.RATE_LIMITED, "slow down", retry_after=30)
            case "busy":
                raise TemporaryError(Reason.SERVER_ERROR, "503")
            case "never":
                raise PermanentError(Reason.REJECTED, "no")
            case "bug":
                raise RuntimeError(SECRET)
        self.sent.append(f"{message} to {destination.settings['address']}")
        return "fine"


class Forgetful(Counting):
    """Answers for the first destination only, then breaks off."""

    MEDIA_SLUG = "forgetful"

    def send(
        self, event: Event, destinations: Iterable[Destination], *, session: Any = None
    ) -> Iterator[Outcome]:
        for outcome in super().send(event, destinations, session=session):
            yield outcome
            raise RuntimeError(SECRET)


class Babbling(Counting):
    """Answers twice, and for a destination that nobody gave it."""

    MEDIA_SLUG = "babbling"

    def send(
        self, event: Event, destinations: Iterable[Destination], *, session: Any = None
    ) -> Iterator[Outcome]:
        for outcome in super().send(event, destinations, session=session):
            stranger = replace(outcome.destination, message_key="a stranger's")
            yield from (outcome, outcome, replace(outcome, destination=stranger))


class Unopenable(Counting):
    """Its session can't be opened."""

    MEDIA_SLUG = "unopenable"

    def session(self) -> Any:
        raise RuntimeError(SECRET)


class Half(Counting):
    """Has a secret beside an address that is none."""

    MEDIA_SLUG = "half"
    SECRETS = ("token",)

    class Form(Counting.Form):
        token = forms.CharField()


class Misspelt(Counting):
    """Names a secret that it does not have."""

    SECRETS = ("adress",)


class Spelt(Counting):
    """Names a secret letter by letter."""

    SECRETS = "address"


class Posting(NotificationMedium):
    """Posts the event as JSON to a URL, which is a secret like most webhooks."""

    MEDIA_SLUG = "posting"
    MEDIA_NAME = "Posting"
    MEDIA_SETTINGS_KEY = "url"
    CONCURRENCY = 4

    class Form(forms.Form):
        url = forms.CharField()

    def get_host(self, settings: Mapping[str, Any]) -> str:
        return host_of(settings["url"])

    @classmethod
    def get_label(cls, destination: Any) -> str:
        return cls().get_host(destination.settings)

    def session(self) -> HTTPSession:
        return HTTPSession()

    def render(self, event: Event) -> bytes:
        return json.dumps({"id": str(event.pk), "description": event.description}).encode()

    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        headers = {"content-type": "application/json", "webhook-id": destination.message_key}
        return str(session.post(destination.settings["url"], message, headers))


class HastyPosting(Posting):
    """Gives up after two tries: fewer failures in a row than open a breaker."""

    RETRY_DELAYS = (0.2,)


class Leaking(Counting):
    """Never gives back the 60 MB that each send takes, in its process."""

    MEDIA_SLUG = "leaking"
    RETRY_DELAYS = (0.5,) * 10

    leaked: ClassVar[list[bytes]] = []

    def send_one(self, message: str, destination: Destination, session: Any) -> str:
        self.leaked.append(b"x" * 60 * 1024 * 1024)
        return super().send_one(message, destination, session)
