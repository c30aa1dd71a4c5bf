"""`POST /api/v1/intake/signed/<source>`: Standard Webhooks."""

from __future__ import annotations

import base64
import datetime as dt
import json
import secrets
import time
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from notifier import limiting
from notifier.api.examples import OF_FORMAT
from notifier.models import Event, SigningSecret, Source
from tests.integration.test_intake_api import structured

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    Response = Any
    Post = Callable[..., Response]

BODY = {"description": "Disk full", "level": 2}


@pytest.fixture
def secret(source: Source) -> str:
    return SigningSecret.issue(source)


@pytest.fixture
def post(client: Client, source: Source, secret: str) -> Post:
    """Post signed: `post(body, webhook_id="m1", secrets=(…), age_s=0, sent=…)`; `sent` is altered."""

    def send(
        body: object,
        *,
        webhook_id: str = "m1",
        secrets: tuple[str, ...] = (secret,),
        age_s: float = 0,
        sent: object = None,
        to: int | None = None,
        **headers: str,
    ) -> Response:
        raw = json.dumps(body)
        at = dt.datetime.fromtimestamp(time.time() - age_s, dt.UTC)
        signatures = [Webhook(each).sign(webhook_id, at, raw) for each in secrets]
        return client.post(
            f"/api/v1/intake/signed/{source.pk if to is None else to}",
            raw if sent is None else json.dumps(sent),
            content_type="application/json",
            headers={
                "webhook-id": webhook_id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": " ".join(signatures),
                **headers,
            },
        )

    limiting._load.cache_clear()
    return send


def test_what_the_package_signs_is_taken_and_replayed_it_is_a_repeat(post: Post) -> None:
    first, second = post(BODY), post(BODY)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["events"][0]["id"] == second.json()["events"][0]["id"]
    assert Event.objects.get().source_event_id == "webhook m1"
    assert post(BODY, webhook_id="m2").status_code == 202


@pytest.mark.parametrize(
    "changed",
    [
        {"sent": {**BODY, "level": 1}},
        {"webhook-id": "m9"},
        {"webhook-timestamp": str(int(time.time()) + 7)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "v2,AAAA v1 ,,"},
        {"webhook-signature": "v1,\xff\xfe"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "²"},
        {"age_s": 5 * 60 + 2},
        {"age_s": -5 * 60 - 2},
        {"secrets": ("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),)},
        {"secrets": ()},
        {"to": 999_999},
        {"to": 2**80},
    ],
)
def test_what_was_altered_is_old_or_of_another_secret_is_refused(
    post: Post, changed: dict[str, Any]
) -> None:
    answer = post(BODY, **changed)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert not Event.objects.exists()


def test_another_sources_secret_opens_nothing(post: Post) -> None:
    bank = Source.objects.create(name="bank")
    assert post(BODY, secrets=(SigningSecret.issue(bank),)).status_code == 401
    assert post(BODY, to=bank.pk).status_code == 401


def test_secrets_are_rotated_without_a_gap(post: Post, source: Source, secret: str) -> None:
    newer = SigningSecret.issue(source)
    assert post(BODY).status_code == 202
    assert post(BODY, webhook_id="m2", secrets=(newer,)).status_code == 202
    assert post(BODY, webhook_id="m3", secrets=(secret, newer)).status_code == 202
    SigningSecret.objects.filter(prefix=secret[:10]).update(revoked_at=timezone.now())
    assert post(BODY, webhook_id="m4").status_code == 401
    assert post(BODY, webhook_id="m5", secrets=(secret, newer)).status_code == 202


def test_a_header_that_is_not_signed_counts_for_nothing(post: Post) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "a.opened"}
    assert post(BODY, **binary).status_code == 202
    assert Event.objects.get().description == "Disk full"
    assert Event.objects.get().type == "LES"
    # the same message, its attributes altered on the way, is no second event
    assert post(BODY, **{**binary, "ce-id": "2"}).status_code == 200


def test_the_id_is_of_the_signed_header_whatever_the_body_names(post: Post) -> None:
    post(structured(type="a.done"), webhook_id="m1")
    post(structured(type="a.done"), webhook_id="m2")
    post([structured(type="a.done"), structured(type="a.done")], webhook_id="m3")
    names = Event.objects.order_by("received").values_list("source_event_id", flat=True)
    assert set(names) == {"webhook m1", "webhook m2", "webhook m3", "webhook m3 1"}


def test_its_own_advice_on_bodies_is_understood(post: Post) -> None:
    assert post(OF_FORMAT["standard-webhooks"]).status_code == 202
    event = Event.objects.get()
    assert (event.type, event.description) == ("STA", "The disk of db1 is full")
    assert event.incident
    assert event.incident.incident_key == "db1/disk"
    ended = {**OF_FORMAT["standard-webhooks"], "type": "disk.closed"}
    assert post(ended, webhook_id="m2").status_code == 202


def test_limits_are_the_sources(post: Post) -> None:
    Source.objects.update(limits={"requests_per_minute": 1})
    post(BODY)
    answer = post(BODY, webhook_id="m2")
    assert answer.status_code == 429
    assert answer["Retry-After"]


def test_it_is_a_sign_of_life_where_one_is_expected(post: Post) -> None:
    Source.objects.update(heartbeat_interval=60)
    post(BODY)
    assert Source.objects.get().last_heartbeat is not None


# at rest


def test_a_secret_is_encrypted_in_its_row_and_only_there(secret: str, source: Source) -> None:
    row = SigningSecret.objects.get()
    assert row.secret == secret
    assert secret not in json.dumps(row.sealed)
    assert str(row) == f"{secret[:10]}…"
    bank = Source.objects.create(name="bank")
    SigningSecret.objects.update(source=bank)
    with pytest.raises(Exception, match="encrypted for another"):
        _ = SigningSecret.objects.get().secret


def test_a_secret_that_no_key_opens_is_our_fault_not_the_senders(
    post: Post, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = ["9" * 43 + "="]
    answer = post(BODY)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "no key of NOTIFIER_ENCRYPTION_KEYS opens signing secret" in caplog.text


def test_keys_are_rotated_for_signing_secrets_too(
    post: Post, settings: Settings, secret: str
) -> None:
    old, new = settings.NOTIFIER_ENCRYPTION_KEYS, ["8" * 43 + "="]
    settings.NOTIFIER_ENCRYPTION_KEYS = [*new, *old]
    out = StringIO()
    call_command("rotatekeys", stdout=out)
    assert "1 of 1 signing secrets were stored anew." in out.getvalue()
    settings.NOTIFIER_ENCRYPTION_KEYS = new
    assert SigningSecret.objects.get().secret == secret
    assert post(BODY).status_code == 202
    settings.NOTIFIER_ENCRYPTION_KEYS = old
    with pytest.raises(CommandError, match="1 signing secrets can't be read"):
        call_command("rotatekeys", stdout=out)


def test_the_command_prints_a_secret_once(source: Source) -> None:
    out, err = StringIO(), StringIO()
    call_command("addsource", "shop", "--signing-secret", stdout=out, stderr=err)
    assert out.getvalue().strip() == SigningSecret.objects.get().secret
    assert f"/api/v1/intake/signed/{source.pk}" in err.getvalue()
