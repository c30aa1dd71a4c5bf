"""`POST /api/v1/intake`: the ways in for whatever emits alerts already, in its own format."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Schema

from notifier.api import examples
from notifier.api.bodies import read_body
from notifier.api.problems import ProblemDetails, later, respond
from notifier.api.tokens import SourcePasswordAuth, SourceTokenAuth
from notifier.errors import NotNow
from notifier.intake.formats.posted import Format, Posted
from notifier.intake.formats.registry import FORMATS
from notifier.intake.receiving import drops_refused, receive
from notifier.intake.reports import Report, Settled
from notifier.intake.signatures import signing_source
from notifier.intake.source_limits import admit
from notifier.models import Source
from notifier.outages import database

router = Router(tags=["intake"])


class Reported(Schema):
    """What became of a report: an event, or (`repeated`, mostly without an id) nothing new."""

    id: UUID | None
    repeated: bool
    incident_key: str | None


class ReportedAll(Schema):
    """Of each report, in the order of the request."""

    events: list[Reported]


_AUTH = [SourceTokenAuth(), SourcePasswordAuth()]
_REFUSALS: dict[int, Any] = dict.fromkeys((401, 409, 413, 422, 429, 503), ProblemDetails)
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait first.", "schema": {"type": "integer"}}
}


_ORIGIN = r"^[!-~]+$"
_HANDSHAKE: dict[str, Any] = {
    "parameters": [
        {
            "name": "WebHook-Request-Origin",
            "in": "header",
            "required": True,
            "schema": {"type": "string", "pattern": _ORIGIN},
            "description": "Who wants to send.",
        }
    ]
}


def _described(*slugs: str) -> dict[str, Any]:
    """Return what OpenAPI says of bodies and headers, with an example of each format."""
    found = {slug: {"value": examples.OF_FORMAT[slug]} for slug in slugs}
    content = {"application/json": {"schema": {}, "examples": found}}
    if "cloudevents" in slugs:
        content |= {
            "application/cloudevents+json": {"schema": {}},
            "application/cloudevents-batch+json": {"schema": {}},
        }
    later = {"description": "Later; nothing was stored.", "headers": _RETRY_AFTER}
    stored = {"content": {"application/json": {"example": examples.SETTLED}}}
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {**dict.fromkeys((200, 202), stored), **dict.fromkeys((429, 503), later)},
    }


@router.post(
    "/intake",
    auth=_AUTH,
    summary="Post alerts in a format that is detected",
    openapi_extra=_described(*FORMATS),
    response={200: ReportedAll, 202: ReportedAll, **_REFUSALS},
)
def post_detected(request: HttpRequest) -> HttpResponse:
    """Store what is new of what a source reports: see each format's own path.

    202 says that at least one event is new, 200 that nothing is.
    """
    return _post(request, _source(request))


@router.api_operation(
    ["OPTIONS"],
    "/intake",
    summary="Agree to be sent CloudEvents",
    openapi_extra=_HANDSHAKE,
    response={200: None, 400: ProblemDetails},
)
def allow_detected(request: HttpRequest) -> HttpResponse:
    """Answer the handshake of CloudEvents' web hooks. Posting still takes a source's token."""
    return _allow(request)


@router.api_operation(
    ["OPTIONS"],
    "/intake/cloudevents",
    summary="Agree to be sent CloudEvents on their own path",
    openapi_extra=_HANDSHAKE,
    response={200: None, 400: ProblemDetails},
)
def allow_cloudevents(request: HttpRequest) -> HttpResponse:
    """Answer the handshake of CloudEvents' web hooks. Posting still takes a source's token."""
    return _allow(request)


@router.post(
    "/intake/signed/{int:source_id}",
    summary="Post signed JSON",
    openapi_extra={
        **_described("notifier", "standard-webhooks"),
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": meaning,
            }
            for name, meaning in (
                ("webhook-id", "Names the message: the same twice is one."),
                ("webhook-timestamp", "Seconds since 1970, of now."),
                ("webhook-signature", "`v1,…`, several with a space between them."),
            )
        ],
    },
    response={200: ReportedAll, 202: ReportedAll, 404: ProblemDetails, **_REFUSALS},
)
def post_signed(request: HttpRequest, source_id: int) -> HttpResponse:
    """Store what a source has signed, as Standard Webhooks has it; there is no token.

    No other header counts, as none is signed: a CloudEvent is taken in its structured form.
    """
    body = read_body(request)
    headers = _headers(request)
    source = signing_source(source_id, headers, body)
    if source is None:
        return respond(
            401,
            "Unauthorized",
            "The signature is missing, older than five minutes, or not of this body by a secret of "
            "this source.",
        )
    return _post(request, source, webhook_id=headers["webhook-id"])


def _add(form: Format) -> None:
    """Add a format's own path."""

    def post(request: HttpRequest) -> HttpResponse:
        return _post(request, _source(request), form)

    post.__doc__ = "Store what is new. 202 says that at least one event is, 200 that nothing is."
    router.post(
        f"/intake/{form.slug}",
        auth=_AUTH,
        operation_id=f"post_{form.slug.replace('-', '_')}",
        summary=f"Post alerts: {form.title}",
        openapi_extra=_described(form.slug),
        response={200: ReportedAll, 202: ReportedAll, **_REFUSALS},
    )(post)


for _form in FORMATS.values():
    _add(_form)


def _source(request: HttpRequest) -> Source:
    found: Source = request.auth  # type: ignore[attr-defined] # set by ninja
    return found


def _post(
    request: HttpRequest, source: Source, named: Format | None = None, webhook_id: str = ""
) -> HttpResponse:
    """Store what was posted, and answer as its sender's protocol wants it."""
    headers = {} if webhook_id else _headers(request)
    posted = Posted(read_body(request), headers, source)
    try:
        admit(source, len(posted.body))
        reports, settled = receive(posted, named, webhook_id=webhook_id)
    except NotNow as error:
        return later(error, 503 if drops_refused(posted, named) else 429)
    database.end()
    return _answer(reports, settled)


def _answer(reports: list[Report], settled: list[Settled]) -> HttpResponse:
    found = [
        {
            "id": str(each.id) if each.id else None,
            "repeated": each.repeated,
            "incident_key": report.event.incident_key,
        }
        for report, each in zip(reports, settled, strict=True)
    ]
    status = 200 if all(each.repeated for each in settled) else 202
    return JsonResponse({"events": found}, status=status)


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _allow(request: HttpRequest) -> HttpResponse:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection."""
    origin = request.headers.get("WebHook-Request-Origin", "")
    if not re.fullmatch(_ORIGIN, origin):
        return respond(400, "No handshake", "Name yourself in the header WebHook-Request-Origin.")
    return HttpResponse(
        headers={
            "Allow": "POST, OPTIONS",
            "WebHook-Allowed-Origin": origin,
            "WebHook-Allowed-Rate": "*",
        }
    )
