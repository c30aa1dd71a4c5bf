"""Mail by other backends of Django's, and by a provider's HTTP API through django-anymail."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from anymail.message import AnymailRecipientStatus
from django.core import mail as outgoing

from notifier import mail
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.testing.scripted_http import answer, hang, reset, scripted_http
from servers.process import free_port
from tests.conftest import send_mail_by

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

ADDRESS = "anna@example.org"


def built(**more: str) -> Any:
    return mail.build(
        to=ADDRESS,
        subject="Disk full",
        text="t",
        html="<p>t",
        message_key="e.1",
        thread_key="i.1",
        **more,
    )


def send(message: Any) -> str:
    with mail.MailSession() as session:
        return session.send(message)


def failure(message: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(message)
    assert ADDRESS not in f"{caught.value!r} {caught.value.answer}"
    return caught.value


def test_each_mail_goes_through_the_backend_that_the_site_chose(settings: Settings) -> None:
    send_mail_by("django.core.mail.backends.locmem.EmailBackend", settings)
    assert send(built()) == "accepted by the mail server"
    assert [each.to for each in outgoing.outbox] == [[ADDRESS]]


def test_a_mail_may_go_to_a_file(settings: Settings, tmp_path: Path) -> None:
    send_mail_by(
        "django.core.mail.backends.filebased.EmailBackend", settings, file_path=str(tmp_path)
    )
    send(built())
    [file] = tmp_path.iterdir()
    assert "Subject: Disk full" in file.read_text()


@pytest.mark.parametrize("backend", ["no.such.Backend", "anymail.backends.postmark.EmailBackend"])
def test_a_backend_that_is_not_there_or_lacks_a_setting_is_the_sites_fault(
    backend: str, settings: Settings
) -> None:
    send_mail_by(backend, settings)
    error = failure(built())
    assert (type(error), error.reason) == (TemporaryError, Reason.MISCONFIGURED)


@pytest.fixture
def anymail(settings: Settings) -> None:
    """Anymail's own backend for tests, which answers what a mail's `anymail_test_response` says."""
    send_mail_by("anymail.backends.test.EmailBackend", settings)


def answered(status: str | None, message_id: str = "id-7") -> Any:
    message = built()
    said = AnymailRecipientStatus(message_id, status)
    message.anymail_test_response = {"recipient_status": {ADDRESS: said}}
    return message


@pytest.mark.parametrize("status", ["sent", "queued", "unknown"])
@pytest.mark.usefixtures("anymail")
def test_what_a_provider_takes_is_sent_and_its_id_is_kept(status: str) -> None:
    assert send(answered(status)) == f"{status}: id-7"


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("invalid", PermanentError, Reason.GONE),
        ("rejected", PermanentError, Reason.REJECTED),
        ("failed", TemporaryError, Reason.SERVER_ERROR),
        (None, TemporaryError, Reason.UNCLEAR),
    ],
)
@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.usefixtures("anymail")
def test_a_recipients_status_is_the_outcome(
    status: str | None,
    kind: type[DeliveryError],
    reason: Reason,
    raises: bool,
    settings: Settings,
) -> None:
    settings.ANYMAIL = {"IGNORE_RECIPIENT_STATUS": not raises}
    error = failure(answered(status))
    assert (type(error), error.reason) == (kind, reason)


@pytest.mark.usefixtures("anymail")
def test_a_provider_that_names_no_recipient_leaves_it_unclear() -> None:
    message = built()
    message.anymail_test_response = {"recipient_status": {}}
    assert failure(message).reason is Reason.UNCLEAR


@pytest.mark.usefixtures("anymail")
def test_the_headers_of_a_notification_reach_the_provider() -> None:
    message = built(unsubscribe_url="https://n.example.org/destinations/")
    send(message)
    headers = dict(message.anymail_test_params["extra_headers"])
    assert headers["References"] == headers["In-Reply-To"] == "<i.1@localhost>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Unsubscribe"] == "<https://n.example.org/destinations/>"


def test_what_a_provider_lacks_is_the_sites_to_decide(settings: Settings) -> None:
    send_mail_by("anymail.backends.postmark.EmailBackend", settings)
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "S3CR3T"}
    message = built()
    message.send_at = "2030-01-01T00:00:00Z"  # Postmark has no such thing
    error = failure(message)
    assert (error.reason, error.answer) == (Reason.MISCONFIGURED, "AnymailUnsupportedFeature")


def postmark(site_url: str, settings: Settings) -> None:
    """Send by Postmark's API, as it is at that URL."""
    send_mail_by("anymail.backends.postmark.EmailBackend", settings)
    settings.ANYMAIL = {
        "POSTMARK_SERVER_TOKEN": "S3CR3T",
        "POSTMARK_API_URL": site_url,
        "REQUESTS_TIMEOUT": 0.5,
    }


def said(status: int, *headers: str, **body: Any) -> bytes:
    return answer(status, *headers, body=json.dumps(body).encode())


TAKEN = said(200, ErrorCode=0, Message="OK", To=ADDRESS, MessageID="abc-1")


def test_a_mail_by_a_providers_api(settings: Settings) -> None:
    with scripted_http({"/email": (TAKEN,)}) as site:
        postmark(site.url("/"), settings)
        with mail.MailSession() as session:
            assert [session.send(built()) for _ in range(2)] == ["sent: abc-1"] * 2
    assert site.connections == 1
    posted = json.loads(site.requests[0].body)
    assert (posted["To"], posted["Subject"]) == (ADDRESS, "Disk full")
    assert {"Name": "Message-ID", "Value": "<e.1@localhost>"} in posted["Headers"]


@pytest.mark.parametrize(
    ("reply", "kind", "reason", "wait_s"),
    [
        (said(429, "Retry-After: 7"), TemporaryError, Reason.RATE_LIMITED, 7.0),
        (said(503), TemporaryError, Reason.SERVER_ERROR, None),
        (said(500, Message=ADDRESS), TemporaryError, Reason.SERVER_ERROR, None),
        (said(401), TemporaryError, Reason.AUTH, None),
        (said(402), TemporaryError, Reason.MISCONFIGURED, None),
        (said(413), PermanentError, Reason.TOO_LARGE, None),
        (said(422, ErrorCode=412, Message=ADDRESS), PermanentError, Reason.REJECTED, None),
        (
            said(422, ErrorCode=300, Message=f"Invalid 'To' address: '{ADDRESS}'."),
            PermanentError,
            Reason.GONE,
            None,
        ),
        (
            said(
                422,
                ErrorCode=406,
                Message=f"Found inactive addresses: {ADDRESS}. Inactive recipients are ones that",
            ),
            PermanentError,
            Reason.REJECTED,
            None,
        ),
        (answer(200, body=b"<html>"), TemporaryError, Reason.UNCLEAR, None),
        (hang, TemporaryError, Reason.UNCLEAR, None),
        (reset, TemporaryError, Reason.UNCLEAR, None),
    ],
)
def test_what_an_api_answers_means(
    reply: Any,
    kind: type[DeliveryError],
    reason: Reason,
    wait_s: float | None,
    settings: Settings,
) -> None:
    with scripted_http({"/email": (reply,)}) as site:
        postmark(site.url("/"), settings)
        error = failure(built())
    assert (type(error), error.reason) == (kind, reason)
    assert getattr(error, "retry_after", None) == wait_s
    assert getattr(error, "whole_host", False) == (reason is Reason.RATE_LIMITED)


def test_no_connection_to_an_api_is_no_send(settings: Settings) -> None:
    postmark(f"http://127.0.0.1:{free_port()}/", settings)
    assert failure(built()).reason is Reason.CONNECTION


def test_a_provider_that_nobody_vouches_for_gets_nothing(settings: Settings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with scripted_http({"/email": (TAKEN,)}, context) as site:
        postmark(site.url("/"), settings)
        assert failure(built()).reason is Reason.TLS
    assert site.requests == []
