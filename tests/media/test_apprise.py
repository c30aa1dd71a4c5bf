"""Apprise's services: what is allowed, where they may lead, and what is said of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apprise import NotifyType
from django.core.exceptions import ImproperlyConfigured, ValidationError

from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.ids import new_event_id
from notifier.media.apprise import AppriseNotification, Message
from notifier.media.base import Destination, Medium, Status
from notifier.models import Event, Incident, Source
from notifier.testing.scripted_http import Site, answer, hang, scripted_http

SECRET = "S3CR3T"
MESSAGE = Message("title", "body", NotifyType.INFO)
OK = {"/hook": (answer(200),)}


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["json", "tgram"]
    settings.NOTIFIER_SEND_TIMEOUT_S = 2


@pytest.fixture
def medium() -> AppriseNotification:
    return AppriseNotification()


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with scripted_http(OK) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        yield site


def destination(url: str) -> Destination:
    return Destination("key", 1, Medium("apprise", "Apprise"), {"url": url}, "", "anna")


def refuse(medium: AppriseNotification, url: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as refused:
        medium.send_one(MESSAGE, destination(url), None)
    assert SECRET not in str(refused.value)
    return refused.value


def new_event(**fields: Any) -> Event:
    return Event(
        id=new_event_id(),
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        **{"source": Source(name="shop"), "type": "LES", "level": 3, "description": "disk"}
        | fields,
    )


def test_an_event_reaches_the_service(medium: AppriseNotification, site: Site) -> None:
    incident = Incident(incident_key="disk")
    event = new_event(incident=incident, type="STA", level=1, description="<b>disk</b>\nfull")
    [outcome] = medium.send(event, [destination(f"json://127.0.0.1:{site.port}/hook")])
    assert outcome.status is Status.SENT
    [request] = site.requests
    told = json.loads(request.body)
    assert told["title"] == "Start: <b>disk</b> full"
    assert told["message"].startswith("<b>disk</b>")
    assert "shop, level 1 (critical)" in told["message"]
    assert told["type"] == "failure"


@pytest.mark.parametrize(("kind", "level", "found"), [("END", 1, "success"), ("LES", 3, "warning")])
def test_how_bad_it_is_shows(
    medium: AppriseNotification, kind: str, level: int, found: str
) -> None:
    assert medium.render(new_event(type=kind, level=level)).type.value == found


def test_its_text_keeps_its_lines_and_has_no_controls(medium: AppriseNotification) -> None:
    message = medium.render(new_event(description="one\r\ntwo\x1b\u202e"))
    assert message.body.startswith("one\ntwo\n")


def test_a_long_event_is_cut_and_its_link_is_not(medium: AppriseNotification) -> None:
    url = "https://example.org/db1"
    event = new_event(description="æ" * 5000, details_url=url)
    message = medium.render_for(event, "nb", "Europe/Oslo")
    assert len(message.title) == medium.TITLE_LENGTH
    assert len(message.body) == medium.BODY_LENGTH
    assert message.body.endswith(f"…\n\nshop, nivå 3 (moderat), 1. januar 2026 01:00:00 CET\n{url}")


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_refusal_is_tried_again(medium: AppriseNotification, settings: Any, status: int) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with scripted_http({"/hook": (answer(status, body=SECRET.encode()),)}) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        error = refuse(medium, f"json://127.0.0.1:{site.port}/hook?secret={SECRET}")
    assert error.reason is Reason.DEFERRED
    assert len(site.requests) == 1


def test_one_that_hangs_ends_in_time(medium: AppriseNotification, settings: Any) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with scripted_http({"/hook": (hang,)}) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        [outcome] = medium.send(
            new_event(),
            [destination(f"json://127.0.0.1:{site.port}/hook?rto=600&cto=600&retry=5")],
        )
    assert outcome.status is Status.TEMPORARY
    assert outcome.reason is Reason.DEFERRED
    assert outcome.duration_s < 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "10.0.0.1", "[::1]"])
def test_no_private_address_is_contacted(
    medium: AppriseNotification, host: str, settings: Any
) -> None:
    with scripted_http(OK) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        error = refuse(medium, f"json://{host}:{site.port}/{SECRET}")
    assert error.reason is Reason.BLOCKED_ADDRESS
    assert not site.connections


def test_by_a_proxy_nothing_is_sent(
    medium: AppriseNotification, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", site.url(""))  # which may be contacted itself
    assert refuse(medium, "json://10.0.0.1/").reason is Reason.BLOCKED_ADDRESS
    assert not site.connections


def test_a_service_with_sockets_of_its_own_reaches_nothing(
    medium: AppriseNotification, site: Site, settings: Any
) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["nostr"]
    refuse(medium, f"nostr://{'1' * 64}/?relay=ws://127.0.0.1:{site.port}")
    assert not site.connections


@pytest.mark.parametrize("path", ["{}", "file://{}"])
def test_no_file_of_this_machine_is_read(
    medium: AppriseNotification, settings: Any, tmp_path: Path, path: str
) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["discord"]
    file = tmp_path / "secret.json"
    file.write_text('{"content": "S3CR3T"}')
    url = f"discord://{'1' * 18}/{'a' * 68}/"
    assert medium.validate_settings({"url": url})
    with pytest.raises(ValidationError, match="no URL of an Apprise service"):
        medium.validate_settings({"url": f"{url}?template={path.format(file)}"})


def test_a_pause_that_a_service_asks_for_is_not_slept_away(
    medium: AppriseNotification, settings: Any
) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["fluxer"]
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    hook = f"1234567890/{64 * 'a'}"
    with scripted_http({f"/api/webhooks/{hook}": (answer(429, "Retry-After: 900"),)}) as site:
        settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port]
        with pytest.raises(TemporaryError) as refused:
            medium.send_one(MESSAGE, destination(f"fluxer://127.0.0.1:{site.port}/{hook}"), None)
    assert refused.value.reason is Reason.RATE_LIMITED
    assert refused.value.retry_after == pytest.approx(900, abs=2)


def test_neither_by_a_redirect_nor_by_a_proxy(
    medium: AppriseNotification, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with scripted_http({}) as inside:
        there = f"Location: http://127.0.0.2:{inside.port}/ok"
        with scripted_http({"/hook": (answer(307, there),)}) as site:
            settings.NOTIFIER_HTTP_ALLOWED_PORTS = [site.port, inside.port]
            assert refuse(medium, f"json://127.0.0.1:{site.port}/hook").reason is (
                Reason.BLOCKED_ADDRESS
            )
        settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = []
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{inside.port}")
        assert refuse(medium, "json://example.org/hook").reason is Reason.BLOCKED_ADDRESS
    assert not inside.requests


def test_other_ports_are_refused(medium: AppriseNotification, settings: Any) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with scripted_http(OK) as site:
        assert refuse(medium, f"json://127.0.0.1:{site.port}/").reason is Reason.BLOCKED_ADDRESS


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("mailto://user:pass@example.org", "not allowed here; those that are: json://, tgram://"),
        ("json://", "no URL of an Apprise service"),
        ("tgram://nonsense", "no URL of an Apprise service"),
        ("json://example.org/?verify=no", "certificates are always verified"),
        ("", "required"),
        ("json://example.org/" + 2048 * "x", "at most 2048"),
    ],
)
def test_what_can_not_be_used_is_refused_with_the_rule(
    medium: AppriseNotification, url: str, rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule) as refused:
        medium.validate_settings({"url": url})
    assert refused.value.messages[0].startswith("url: ")


def test_what_an_operator_takes_back_is_not_sent_any_more(
    medium: AppriseNotification, settings: Any
) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["tgram"]
    with pytest.raises(PermanentError, match="not allowed any more"):
        medium.send_one(MESSAGE, destination("json://example.org/"), None)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        *((each, "not by HTTP alone") for each in ("mailto", "dbus", "rsyslog", "mqtt", "windows")),
        *((each, "files of this machine") for each in ("fcm", "vapid")),
        ("nonsense", "no such service"),
    ],
)
def test_what_nothing_guards_can_not_be_allowed(settings: Any, schema: str, why: str) -> None:
    settings.NOTIFIER_APPRISE_SERVICES = ["json", schema]
    with pytest.raises(ImproperlyConfigured, match=f"'{schema}' can't be allowed: .*{why}"):
        AppriseNotification()


def test_a_label_and_a_host_hold_no_secret(medium: AppriseNotification, settings: Any) -> None:
    url = f"tgram://123456789:{SECRET}abcdefghijklmnopqrstuvwxyz123/"
    assert medium.get_label(SimpleNamespace(settings={"url": url})) == "Telegram"
    assert medium.get_host({"url": url}) == "telegram"
    assert medium.get_host({"url": SECRET}) == "not allowed"
    assert medium.get_host({"url": f"json://{SECRET}@example.org/{SECRET}"}) == "example.org"
    assert medium.get_label(SimpleNamespace(settings={"url": SECRET})) == "Apprise"
    settings.NOTIFIER_APPRISE_SERVICES = ["ntfy"]
    assert medium.get_host({"url": "ntfy://topic"}) == "ntfy"  # never empty: the whole medium's


def test_nothing_of_a_url_is_logged(
    medium: AppriseNotification, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        medium.send_one(MESSAGE, destination(f"json://127.0.0.1:{site.port}/hook?x={SECRET}"), None)
        refuse(medium, f"json://127.0.0.1:{site.port}/other?x={SECRET}")
    assert SECRET not in caplog.text
