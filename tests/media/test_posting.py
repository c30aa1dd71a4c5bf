"""What all media that post to a user's URL do alike."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError

from notifier.errors import Reason
from notifier.media.base import Status
from notifier.media.msteams import MSTeamsNotification
from notifier.media.posting import MAX_URL, PostingMedium
from notifier.media.slack import SlackNotification
from notifier.media.webhook import WebhookNotification
from notifier.models import DestinationConfig
from notifier.testing.scripted_http import Fault, Site, answer, reset
from tests.media.posted import SECRET, a_destination, an_event, send

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MEDIA = (WebhookNotification(), SlackNotification(), MSTeamsNotification())
PLAIN = PostingMedium()
PLAIN.MEDIA_NAME = "Posting"  # type: ignore[misc] # the base class has no name
NO_URL = (
    "url: This is no URL to post to: it must be https://host/… or http://host/…, without a user "
    "name."
)
NOT_PUBLIC = (
    "url: This address may not be contacted. It must be public and its port 80 or 443, unless this "
    "site allows more by NOTIFIER_HTTP_ALLOWED_NETWORKS and NOTIFIER_HTTP_ALLOWED_PORTS."
)
every_medium = pytest.mark.parametrize("medium", MEDIA, ids=lambda each: each.MEDIA_SLUG)


def refusal(url: object) -> str:
    with pytest.raises(ValidationError) as refused:
        PLAIN.validate_settings({"url": url})
    [message] = refused.value.messages
    return str(message)


def kept(url: str) -> Any:
    return PLAIN.validate_settings({"url": url})["url"]


def test_a_url_is_kept_in_one_spelling() -> None:
    assert kept(" HTTPS://Hooks.Example.org:443/a?b=%2F#c\n") == "https://hooks.example.org/a?b=%2F"
    assert kept("https://bücher.example/ø") == "https://xn--bcher-kva.example/%C3%B8"
    assert kept(kept("https://example.org")) == "https://example.org"


@pytest.mark.parametrize(
    "url",
    [
        "example.org/hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https://anna:pw@example.org/",
        "https://[fe80::1%25eth0]/",
        "javascript:alert(1)",
        ["https://example.org/"],
        5,
    ],
)
def test_what_is_no_url_is_refused(url: object) -> None:
    assert refusal(url) == NO_URL


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "10.0.0.1", "[::1]"),
        *("[::ffff:7f00:1]", "169.254.169.254", "localhost", "localhost.", "a.localhost"),
        *("example.org:22", "8.8.8.8:6379"),
    ],
)
def test_an_address_or_a_port_that_is_refused_is_refused_already_in_the_form(host: str) -> None:
    assert refusal(f"https://{host}/{SECRET}") == NOT_PUBLIC


def test_public_addresses_and_names_are_taken_without_asking_a_resolver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, flags = socket.getaddrinfo, set[int]()

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        flags.add(options["flags"])
        return real(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for host in ("8.8.8.8", "[2001:4860:4860::8888]", "nowhere.invalid", "x" * 300):
        assert kept(f"https://{host}/") == f"https://{host}/"
    assert flags == {socket.AI_NUMERICHOST}


def test_plain_http_is_for_sites_with_networks_of_their_own(settings: Settings) -> None:
    assert "must start with https://" in refusal("http://example.org/")
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = [8080]
    assert kept("http://10.0.0.1:8080/") == "http://10.0.0.1:8080/"
    assert kept("http://hooks.internal/") == "http://hooks.internal/"
    assert refusal("http://127.0.0.1:8080/") == NOT_PUBLIC


def test_a_url_has_at_most_2048_characters() -> None:
    assert f"at most {MAX_URL} characters" in refusal(f"https://example.org/{'x' * MAX_URL}")
    assert refusal("") == "url: This field is required."


@every_medium
def test_only_the_host_is_known_to_others(medium: PostingMedium) -> None:
    settings = {"url": f"https://hooks.example.org/{SECRET}"}
    assert medium.get_host(settings) == "hooks.example.org"
    assert medium.get_label(DestinationConfig(settings=settings)).endswith(" at hooks.example.org")
    assert "url" in (medium.SECRETS or ())
    for nothing in ({}, {"url": None}, {"url": "https://["}):
        assert medium.get_host(nothing) == ""
        assert medium.get_label(DestinationConfig(settings=nothing)) == medium.MEDIA_NAME


@every_medium
@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (answer(200), None),
        (answer(302, f"Location: /{SECRET}"), Reason.REJECTED),
        (answer(400, body=SECRET.encode()), Reason.REJECTED),
        (answer(503, body=SECRET.encode()), Reason.SERVER_ERROR),
        (b"nonsense\r\n\r\n", Reason.UNCLEAR),
        (reset, Reason.UNCLEAR),
    ],
)
def test_no_outcome_and_no_log_holds_a_secret(
    medium: PostingMedium,
    step: bytes | Fault,
    reason: Reason | None,
    receiver: Site,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.script = {f"/{SECRET}": (step,)}
    secret = f"whsec_{SECRET}{'A' * 34}"
    settings = {"url": receiver.url(f"/{SECRET}"), "secret": secret}
    outcome = send(medium, an_event(), settings)
    assert outcome.reason is reason
    shown = [
        outcome.answer,
        repr(outcome),
        repr(medium),
        repr(a_destination(medium, settings, "k")),
    ]
    for text in (*shown, *(record.getMessage() for record in caplog.records)):
        assert SECRET not in text
        assert "127.0.0.1" not in text


@every_medium
def test_a_bug_is_logged_without_the_settings(
    medium: PostingMedium, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = send(medium, an_event(), {"url": SECRET.encode(), "secret": WHSEC})
    assert (outcome.status, outcome.reason) == (Status.TEMPORARY, Reason.BUG)
    assert SECRET not in caplog.text
    assert WHSEC not in caplog.text


@every_medium
def test_a_url_into_a_network_that_is_not_allowed_is_refused_unsent(
    medium: PostingMedium, receiver: Site, settings: Settings
) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = []
    outcome = send(medium, an_event(), {"url": receiver.url(f"/{SECRET}"), "secret": WHSEC})
    assert outcome.reason is Reason.BLOCKED_ADDRESS
    assert receiver.connections == 0
