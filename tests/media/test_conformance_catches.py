"""The conformance kit catches what it is for: each of these media breaks one rule."""

from __future__ import annotations

import inspect
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from django import forms

from notifier.errors import DeliveryError, PermanentError, TemporaryError
from notifier.http import HTTPSession, host_of
from notifier.media.base import Destination, NotificationMedium, Outcome
from notifier.models import Event, Source
from notifier.testing.http import HTTPMediumConformance
from notifier.testing.scripted_http import drip, hang

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

log = logging.getLogger(__name__)


class Right(NotificationMedium):
    """Breaks none; the others differ from it by one thing each."""

    MEDIA_SLUG = "right"
    MEDIA_NAME = "Right"
    MEDIA_SETTINGS_KEY = "url"
    SECRETS = ("url",)

    class Form(forms.Form):
        url = forms.RegexField(r"https?://.", max_length=200)

    def get_host(self, settings: Mapping[str, Any]) -> str:
        return host_of(settings["url"])

    @classmethod
    def get_label(cls, destination: Any) -> str:
        return cls().get_host(destination.settings)

    def session(self) -> HTTPSession:
        return HTTPSession()

    def render(self, event: Event) -> bytes:
        return json.dumps({"text": event.description}).encode()

    def headers(self, _message: bytes) -> dict[str, str]:
        return {"content-type": "application/json"}

    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        return str(session.post(destination.settings["url"], message, self.headers(message)))


class Unlimited(Right):
    class Form(forms.Form):
        url = forms.CharField()


class Growing(Right):
    class Form(forms.Form):
        url = forms.CharField(max_length=200)

        def clean_url(self) -> str:
            return f"{self.cleaned_data['url']}/"


class Confusing(Right):
    def canonical_address(self, settings: Mapping[str, Any]) -> str:
        return self.get_host(settings)


class Distinguishing(Right):
    def canonical_address(self, _settings: Mapping[str, Any]) -> str:
        return str(uuid.uuid4())


class OnlyStateful(Right):
    def render(self, event: Event) -> bytes:
        assert event.incident
        return event.incident.incident_key.encode()


class Pasting(Right):
    def render(self, event: Event) -> bytes:
        return f'{{"text": "{event.description}"}}'.encode(errors="replace")


class Titled(Right):
    def headers(self, message: bytes) -> dict[str, str]:
        return {"x-title": json.loads(message)["text"]}


class BreakingOff(Right):
    def send(self, *args: Any, **options: Any) -> Iterator[Outcome]:
        for outcome in super().send(*args, **options):
            yield outcome
            if outcome.reason:
                return


class Renewing(Right):
    def headers(self, _message: bytes) -> dict[str, str]:
        return {"idempotency-key": str(uuid.uuid4())}


class Remembering(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        self.destination = destination
        time.sleep(0.001)
        return super().send_one(message, self.destination, session)


class Asking(Right):
    def headers(self, _message: bytes) -> dict[str, str]:
        return {"x-known": str(Source.objects.exists())}


class Logging(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        log.debug("sending to %s", destination.settings["url"])
        return super().send_one(message, destination, session)


class Quoting(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        answer = session.exchange(destination.settings["url"], message, {})
        try:
            answer.raise_for_status()
        except PermanentError as error:
            raise PermanentError(error.reason, answer.text) from None
        return str(answer)


class Labelling(Right):
    @classmethod
    def get_label(cls, destination: Any) -> str:
        return str(destination.settings["url"])


class Trusting(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        return str(session.exchange(destination.settings["url"], message, {}))


class Impatient(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        try:
            return super().send_one(message, destination, session)
        except TemporaryError as error:
            raise TemporaryError(error.reason) from None


class Patient(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        try:
            return super().send_one(message, destination, session)
        except DeliveryError:
            time.sleep(3)
            raise


class Hoarding(Right):
    def headers(self, _message: bytes) -> dict[str, str]:
        return {"x-length": str(len(bytes(30 * 1024 * 1024)))}


class Following(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        answer = session.exchange(destination.settings["url"], message, {})
        if location := answer.headers.get("location"):
            answer = session.exchange(location, message, {})
        answer.raise_for_status()
        return str(answer)


class Downgrading(Right):
    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        url = destination.settings["url"].replace("https://", "http://")
        return str(session.post(url, message, {}))


class Kit(HTTPMediumConformance):
    bad_settings = (({"url": "ftp://h.example/"}, "url"),)

    def settings_at(self, url: str) -> dict[str, Any]:
        return {"url": url}


STATELESS, START = Event.Type.STATELESS, Event.Type.START
CAUGHT: list[tuple[type[Right], str, dict[str, Any]]] = [
    (Unlimited, "a_text_of_100_kb_is_refused_by_its_field", {}),
    (Unlimited, "bad_settings_are_refused_by_the_field_at_fault", {}),
    (Unlimited, "what_is_no_url_to_post_to_is_refused_by_its_field", {"url": "hooks"}),
    (Growing, "settings_are_stored_as_json_and_stay_the_same", {}),
    (Confusing, "one_recipient_is_one_address_and_another_one_another", {}),
    (Distinguishing, "one_recipient_is_one_address_and_another_one_another", {}),
    (OnlyStateful, "every_type_of_event_is_sent_once", {"kind": STATELESS}),
    (Pasting, "hostile_text_arrives_as_text", {"field": "description", "kind": START}),
    (Titled, "hostile_text_arrives_as_text", {"field": "description", "kind": STATELESS}),
    (BreakingOff, "one_recipient_that_is_refused_spoils_no_other", {}),
    (Renewing, "a_retry_is_the_same_message", {}),
    (Remembering, "one_instance_serves_several_threads", {}),
    (Asking, "sending_asks_no_database", {}),
    (Logging, "no_secret_and_no_address_is_shown", {}),
    (Quoting, "no_secret_and_no_address_is_shown", {}),
    (Labelling, "a_label_and_a_host_hold_no_secret", {}),
    (Trusting, "each_status_is_sent_or_tried_again_or_given_up", {}),
    (Impatient, "how_long_to_wait_is_heard_as_seconds_and_as_a_date", {"status": 429}),
    (Patient, "without_an_answer_it_ends_in_time_to_be_tried_again", {"script": (hang,)}),
    (Patient, "a_server_that_reads_nothing_is_left_in_time", {"stage": "head"}),
    (Hoarding, "once_it_is_taken_the_rest_of_the_answer_costs_nothing", {"rest": drip}),
    (Downgrading, "a_server_without_tls_gets_nothing_of_what_is_for_https", {}),
    (Following, "a_redirect_is_not_followed", {}),
]


@pytest.fixture
def hold(settings: Settings, request: pytest.FixtureRequest) -> Any:
    """Hold a medium against one test of the kit."""
    settings.NOTIFIER_SEND_TIMEOUT_S = 0.5

    def against(medium: type[Right], name: str, given: dict[str, Any]) -> None:
        kit = type("Kit", (Kit,), {"medium": medium})()
        test = getattr(kit, f"test_{name}")
        with kit.serving(settings) as provider:
            others = [*inspect.signature(test).parameters.keys() - given.keys() - {"provider"}]
            fixtures = {each: request.getfixturevalue(each) for each in others}
            if "provider" in inspect.signature(test).parameters:
                fixtures["provider"] = provider
            test(**fixtures, **given)

    return against


@pytest.mark.parametrize(("medium", "name", "given"), CAUGHT)
def test_what_breaks_a_rule_is_caught(
    hold: Any, medium: type[Right], name: str, given: dict[str, Any]
) -> None:
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        hold(medium, name, given)


@pytest.mark.parametrize(("name", "given"), [each[1:] for each in CAUGHT])
def test_what_breaks_none_is_let_through(hold: Any, name: str, given: dict[str, Any]) -> None:
    hold(Right, name, given)
