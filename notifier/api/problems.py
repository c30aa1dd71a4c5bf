"""Errors as RFC 9457 problem details, each naming the field, the rule and the way out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError

from notifier.errors import ConflictingEvent, InvalidEvent, NotNow, Problem, TooFast, TooLarge
from notifier.outages import database

RETRY_AFTER_S = 5


class FieldProblem(Schema):
    """One broken rule."""

    field: str
    message: str


class ProblemDetails(Schema):
    """Why a request was refused; nothing of it was done."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


def respond(
    status: int,
    title: str,
    detail: str,
    *,
    problems: Iterable[Problem] = (),
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    """Return a problem response."""
    body = ProblemDetails(
        title=title,
        status=status,
        detail=detail,
        errors=tuple(FieldProblem(field=each.field, message=each.message) for each in problems),
    )
    return JsonResponse(
        body.model_dump(),
        status=status,
        content_type="application/problem+json",
        headers=headers or {},
    )


def later(error: NotNow, status: int) -> JsonResponse:
    """Return "not now", with the time to wait."""
    title = "Too fast" if isinstance(error, TooFast) else "Overloaded"
    wait_s = math.ceil(error.retry_after_s)
    return respond(status, title, str(error), headers={"Retry-After": str(max(wait_s, 1))})


def connect(api: NinjaAPI) -> None:
    """Let an API answer Notifier's errors as problem details."""

    def invalid(_request: HttpRequest, error: InvalidEvent | Any) -> JsonResponse:
        return respond(422, "Invalid event", str(error)[:2000], problems=error.problems[:100])

    def conflicting(_request: HttpRequest, error: ConflictingEvent | Any) -> JsonResponse:
        return respond(409, "Conflicting event", str(error))

    def too_large(_request: HttpRequest, error: TooLarge | Any) -> JsonResponse:
        return respond(413, "Too large", str(error))

    def not_now(_request: HttpRequest, error: NotNow | Any) -> JsonResponse:
        return later(error, 429 if isinstance(error, TooFast) else 503)

    def unauthorized(_request: HttpRequest, _error: object) -> JsonResponse:
        return respond(
            401,
            "Unauthorized",
            "Send a source's token as `Authorization: Bearer …`; this one is missing, unknown or revoked.",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def database_away(_request: HttpRequest, error: Exception | Any) -> JsonResponse:
        database.begin(error)
        return respond(
            503,
            "Not accepted",
            "The database can't be reached; the events are not known to be stored. Post them again: "
            "with a source_event_id that is harmless even if they were.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )

    def http_error(_request: HttpRequest, error: HttpError | Any) -> JsonResponse:
        return respond(error.status_code, "Refused", str(error))

    api.add_exception_handler(InvalidEvent, invalid)
    api.add_exception_handler(ConflictingEvent, conflicting)
    api.add_exception_handler(TooLarge, too_large)
    api.add_exception_handler(NotNow, not_now)
    api.add_exception_handler(AuthenticationError, unauthorized)
    api.add_exception_handler(OperationalError, database_away)
    api.add_exception_handler(InterfaceError, database_away)
    api.add_exception_handler(HttpError, http_error)
