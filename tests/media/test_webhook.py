"""Webhooks: CloudEvents that a receiver can verify with the public library."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notifier.delivering.sending import deliver
from notifier.errors import Reason
from notifier.media.base import Status
from notifier.media.webhook import WebhookNotification, new_secret, signature
from notifier.models import Delivery, Source
from notifier.testing.scripted_http import Request, Site, answer
from tests.media.posted import HOSTILE, SECRET, add_row, an_event, hostile_event, json_of, send

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MEDIUM = WebhookNotification()
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""Of the test vector in the public libraries."""
RULE = (
    "A secret is whsec_ and 24 to 64 random bytes in base64: whsec_ and what "
    "`openssl rand -base64 32` prints."
)


def secret_of(length: int) -> str:
    return f"whsec_{base64.b64encode(bytes(length)).decode()}"


def cleaned(**settings: object) -> dict[str, Any]:
    return MEDIUM.validate_settings({"url": "https://example.org/hook", **settings})


def verify(request: Request, secret: str) -> Any:
    """Verify as a receiver would; return the body."""
    return Webhook(secret).verify(request.body, dict(request.headers))


def test_it_signs_as_the_public_test_vector_says() -> None:
    assert (
        signature(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize("stateful", [False, True])
def test_what_arrives_verifies_with_the_public_library(receiver: Site, stateful: bool) -> None:
    secret = new_secret()
    outcome = send(
        MEDIUM,
        an_event(stateful=stateful),
        {"url": receiver.url(f"/{SECRET}"), "secret": secret},
        "0192.17",
    )
    assert (outcome.status, outcome.answer) == (Status.SENT, "HTTP 200")
    [request] = receiver.requests
    assert verify(request, secret) == json_of(request)
    assert request.headers["webhook-id"] == "0192_17"
    assert request.headers["content-type"] == "application/cloudevents+json"


def test_a_change_on_the_way_is_seen(receiver: Site) -> None:
    send(MEDIUM, an_event(), {"url": receiver.url(f"/{SECRET}"), "secret": KEY})
    [request] = receiver.requests
    for body, secret in (
        (request.body.replace(b"core-2", b"core-3"), KEY),
        (request.body, new_secret()),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, dict(request.headers))


def test_while_keys_rotate_both_verify(receiver: Site) -> None:
    old, new = new_secret(), new_secret()
    settings = {"url": receiver.url(f"/{SECRET}"), "secret": new, "previous_secret": old}
    send(MEDIUM, an_event(), settings)
    [request] = receiver.requests
    assert verify(request, old) == verify(request, new)
    assert request.headers["webhook-signature"].count("v1,") == 2


def test_without_a_proper_secret_nothing_is_posted(receiver: Site) -> None:
    url = receiver.url(f"/{SECRET}")
    for settings in ({"url": url}, {"url": url, "secret": ""}, {"url": url, "secret": "whsec_"}):
        assert send(MEDIUM, an_event(), settings).reason is Reason.BUG
    assert receiver.requests == []


def test_the_body_is_a_cloud_event_with_the_names_of_our_intake() -> None:
    event = an_event(stateful=True, metadata={"rack": 7}, actor="anna", traceparent="00-a-b-01")
    assert json.loads(MEDIUM.render(event)) == {
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000007",
        "source": "/sources/shop",
        "type": "notifier.event.start",
        "time": "2026-11-23T12:30:00+00:00",
        "datacontenttype": "application/json",
        "subject": "core-1:ge-0/0/1",
        "traceparent": "00-a-b-01",
        "data": {
            "description": "Link to core-2 is down",
            "type": "STA",
            "level": 2,
            "tags": ["host=core-1", "site=oslo"],
            "incident_key": "core-1:ge-0/0/1",
            "start_time": "2026-11-23T12:30:00+00:00",
            "sequence": 1,
            "open": True,
            "acked": False,
            "details_url": "https://nms.example.org/1?a=1&b=2",
            "metadata": {"rack": 7},
            "actor": "anna",
        },
    }


def test_a_stateless_event_has_no_subject_and_the_same_names() -> None:
    stateless, stateful = (
        json.loads(MEDIUM.render(an_event(stateful=each))) for each in (False, True)
    )
    assert stateless["type"] == "notifier.event.stateless"
    assert "subject" not in stateless
    assert stateless["data"].keys() == stateful["data"].keys()
    assert stateless["data"]["incident_key"] is stateless["data"]["open"] is None


def test_the_guide_page_says_what_data_is() -> None:
    page = (Path(__file__).parents[2] / "docs/media/webhook.md").read_text("utf-8")
    [schema] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    [example] = re.findall(r"```http\n.*?\n\n(.*?)```", page, re.DOTALL)
    strict = {**json.loads(schema), "additionalProperties": False}
    for stateful in (False, True):
        jsonschema.validate(json.loads(MEDIUM.render(an_event(stateful=stateful)))["data"], strict)
    shown, rendered = json.loads(example), json.loads(MEDIUM.render(an_event(stateful=True)))
    jsonschema.validate(shown["data"], strict)
    assert shown.keys() == rendered.keys()


def test_the_name_of_a_source_makes_a_uri() -> None:
    event = an_event()
    event.source.name = "Drift/nettverk ø"
    assert json.loads(MEDIUM.render(event))["source"] == "/sources/Drift%2Fnettverk%20%C3%B8"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_arrives_as_it_is_and_verifies(receiver: Site, text: str) -> None:
    send(MEDIUM, hostile_event(text), {"url": receiver.url(f"/{SECRET}"), "secret": KEY})
    [request] = receiver.requests
    assert verify(request, KEY)["data"]["description"] == text
    assert b"\n" not in request.body


@pytest.mark.parametrize(
    ("status", "ended", "reason"),
    [
        (204, Status.SENT, None),
        (301, Status.PERMANENT, Reason.REJECTED),
        (401, Status.PERMANENT, Reason.REJECTED),
        (404, Status.PERMANENT, Reason.REJECTED),
        (410, Status.PERMANENT, Reason.GONE),
        (413, Status.PERMANENT, Reason.TOO_LARGE),
        (429, Status.TEMPORARY, Reason.RATE_LIMITED),
        (502, Status.TEMPORARY, Reason.SERVER_ERROR),
    ],
)
def test_the_status_decides_as_standard_webhooks_says(
    receiver: Site, status: int, ended: Status, reason: Reason | None
) -> None:
    receiver.script = {f"/{SECRET}": (answer(status, "Retry-After: 7", body=SECRET.encode()),)}
    outcome = send(MEDIUM, an_event(), {"url": receiver.url(f"/{SECRET}"), "secret": KEY})
    assert (outcome.status, outcome.reason) == (ended, reason)
    assert outcome.retry_after_s == (7.0 if ended is Status.TEMPORARY else None)
    assert SECRET not in repr(outcome)


def test_a_retry_has_the_same_id_and_a_time_and_signature_of_its_own(
    receiver: Site, anna: User, source: Source, posting_media: None
) -> None:
    receiver.script = {f"/{SECRET}": [(answer(500),), (answer(200),)]}
    secret = new_secret()
    row = add_row(anna, source, MEDIUM, {"url": receiver.url(f"/{SECRET}"), "secret": secret})
    assert deliver("webhook", worker="me")["deferred"] == 1
    Delivery.objects.update(due_at=timezone.now())
    with time_machine.travel(timezone.now() + dt.timedelta(seconds=60)):
        assert deliver("webhook", worker="me")["sent"] == 1
    first, second = receiver.requests
    assert (
        first.headers["webhook-id"]
        == second.headers["webhook-id"]
        == row.message_key.replace(".", "_")
    )
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 60
    assert verify(second, secret)["id"] == str(row.event_id)
    answers = list(row.tries.values_list("answer", flat=True))
    assert answers == ["HTTP 500", "HTTP 200"]


def test_a_receiver_that_is_gone_is_disabled(
    receiver: Site, anna: User, source: Source, posting_media: None
) -> None:
    receiver.script = {f"/{SECRET}": (answer(410),)}
    row = add_row(anna, source, MEDIUM, {"url": receiver.url(f"/{SECRET}"), "secret": KEY})
    assert deliver("webhook", worker="me")["failed"] == 1
    assert row.destination
    row.destination.refresh_from_db()
    assert row.destination.disabled_reason == "gone"


def test_a_secret_is_made_where_none_is_given() -> None:
    made = {cleaned(secret=given)["secret"] for given in ("", None, " ")} | {cleaned()["secret"]}
    assert len(made) == 4
    for secret in made:
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
        assert cleaned(secret=secret)["secret"] == secret
    assert cleaned()["previous_secret"] == ""


@pytest.mark.parametrize("field", ["secret", "previous_secret"])
@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_is_kept(field: str, length: int) -> None:
    assert cleaned(**{field: secret_of(length)})[field] == secret_of(length)


@pytest.mark.parametrize("field", ["secret", "previous_secret"])
@pytest.mark.parametrize(
    "secret",
    [
        secret_of(23),
        secret_of(65),
        KEY.removeprefix("whsec_"),
        KEY.replace("whsec_", "whsek_"),
        f"{KEY}é",
        "whsec_not base64 at all, whatever it is",
        "whsec_",
    ],
)
def test_another_secret_is_refused_with_the_rule(field: str, secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        cleaned(**{field: secret})
    assert refused.value.messages == [f"{field}: {RULE}"]
    assert secret not in refused.value.messages[0].replace(RULE, "")
