"""Errors as RFC 9457 problem details, each naming the field, the rule and the way out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from functools import wraps
from typing import Any

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.core.signals import got_request_exception
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError

from notifier.errors import (
    ConflictingEvent,
    InvalidEvent,
    NotNow,
    Problem,
    TooFast,
    TooLarge,
    frames,
)
from notifier.outages import database

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
MOST_PROBLEMS = 100
"""What is wrong beyond these is told once these are mended."""


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


class Refused(Exception):  # noqa: N818 - reads as what it is
    """A request that is answered with a problem; its transaction, if any, is rolled back."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        problems: Iterable[Problem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.problems, self.headers = tuple(problems), headers

    @classmethod
    def invalid(cls, *problems: Problem) -> Refused:
        """Return a 422 that names fields."""
        detail = "; ".join(map(str, problems))[:2000]
        return cls(422, "Invalid request", detail, problems=problems[:MOST_PROBLEMS])

    def answer(self) -> JsonResponse:
        """Return it as a response."""
        return respond(
            self.status, self.title, self.detail, problems=self.problems, headers=self.headers
        )


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


def of_validation(error: ValidationError) -> Refused:
    """Return what a model's own validation said: 422 by field, or 409 for one too many."""
    if any(each.code == "too_many" for each in _each(error)):
        return Refused(409, "Too many", " ".join(error.messages))
    return Refused.invalid(*problems_of(error))


def problems_of(error: ValidationError) -> list[Problem]:
    """Return what a model's own validation said, field by field."""
    if not hasattr(error, "error_dict"):
        return [Problem("body", each) for each in error.messages]
    return [
        Problem(_field(name, each), message)
        for name, errors in error.error_dict.items()
        for each in errors
        for message in each.messages
    ]


def _each(error: ValidationError) -> Iterator[ValidationError]:
    if hasattr(error, "error_dict"):
        for errors in error.error_dict.values():
            yield from errors
    else:
        yield from error.error_list


def _field(name: str, error: ValidationError) -> str:
    """Return the field that an error is about; of a set of unique fields, the last one."""
    if name != NON_FIELD_ERRORS:
        return name
    unique = (error.params or {}).get("unique_check")
    return unique[-1] if unique else "body"


def connect(api: NinjaAPI) -> None:
    """Let an API answer Notifier's errors as problem details."""

    def http_error(request: HttpRequest, error: HttpError | Any) -> HttpResponse:
        # ninja's own sentence for whatever its parser raised
        if isinstance(error.__cause__, Refused | InvalidEvent):
            return api.on_exception(request, error.__cause__)
        return respond(error.status_code, "Refused", str(error))

    for kind, answer in _ANSWERS.items():
        api.add_exception_handler(kind, answer)
    api.add_exception_handler(HttpError, http_error)


def _refused(_request: HttpRequest, error: Refused | Any) -> JsonResponse:
    return error.answer()


def _invalid(_request: HttpRequest, error: InvalidEvent | Any) -> JsonResponse:
    problems = error.problems[:MOST_PROBLEMS]
    return respond(422, "Invalid event", str(error)[:2000], problems=problems)


def _wrong(_request: HttpRequest, error: ValidationError | Any) -> JsonResponse:
    return of_validation(error).answer()


def _conflicting(_request: HttpRequest, error: ConflictingEvent | Any) -> JsonResponse:
    return respond(409, "Conflicting event", str(error))


def _overtaken(_request: HttpRequest, _error: object) -> JsonResponse:
    detail = "Somebody else changed the same at this moment; nothing was changed. Ask again."
    return respond(409, "Overtaken", detail)


def _unauthorized(_request: HttpRequest, _error: object) -> JsonResponse:
    return respond(
        401,
        "Unauthorized",
        "Send a source's token as `Authorization: Bearer …`; this one is missing, unknown or revoked.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _too_large(_request: HttpRequest, error: TooLarge | Any) -> JsonResponse:
    return respond(413, "Too large", str(error))


def _not_read(_request: HttpRequest, _error: object) -> JsonResponse:
    return respond(413, "Too large", "The body is larger than this server reads; send less.")


def _not_now(_request: HttpRequest, error: NotNow | Any) -> JsonResponse:
    return later(error, 429 if isinstance(error, TooFast) else 503)


def _malformed(_request: HttpRequest, _error: object) -> JsonResponse:
    return respond(400, "Malformed", "The request could not be read as HTTP; send it again.")


def _not_found(_request: HttpRequest, _error: object) -> JsonResponse:
    return respond(404, "Not found", "There is nothing here that you may see.")


def _database_away(_request: HttpRequest, error: Exception | Any) -> JsonResponse:
    database.begin(error)
    return respond(
        503,
        "Database away",
        "The database can't be reached; it is not known whether anything was stored. Send the "
        "request again: events with a source_event_id are stored once even if they were.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _bug(request: HttpRequest, error: Exception | Any) -> JsonResponse:
    # frames only: the text may quote an address
    route = request.resolver_match.route if request.resolver_match else "?"
    log.error("%s %s: %s\n%s", request.method, route, type(error).__name__, frames(error))
    got_request_exception.send(sender=None, request=request)
    return respond(500, "Bug", "This should not happen; the server's log says where it did.")


_ANSWERS: dict[type[Exception], Any] = {
    Refused: _refused,
    InvalidEvent: _invalid,
    ValidationError: _wrong,
    ConflictingEvent: _conflicting,
    IntegrityError: _overtaken,
    AuthenticationError: _unauthorized,
    TooLarge: _too_large,
    NotNow: _not_now,
    RequestDataTooBig: _not_read,
    SuspiciousOperation: _malformed,
    UnreadablePostError: _malformed,
    Http404: _not_found,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    Exception: _bug,
}


def nowhere(_request: HttpRequest, **_path: str) -> JsonResponse:
    """Answer for a path at which there is nothing."""
    return respond(404, "Not found", "No operation has this path; see /api/v1/openapi.json.")


nowhere.csrf_exempt = True  # type: ignore[attr-defined] # there is nothing to protect


def guarded(urls: tuple[list[Any], str, str]) -> tuple[list[Any], str, str]:
    """Return an API's URLs with problems for wrong methods too, which ninja answers by itself."""
    for pattern in urls[0]:
        pattern.callback = _guarded(pattern.callback)
    return urls


def _guarded(view: Any) -> Any:
    @wraps(view)
    def guarded_view(request: HttpRequest, **path: Any) -> HttpResponse:
        answer: HttpResponse = view(request, **path)
        if answer.status_code != 405:  # noqa: PLR2004 - HTTP's number
            return answer
        allowed = answer["Allow"]
        return respond(405, "Wrong method", f"Here one can {allowed}.", headers={"Allow": allowed})

    return guarded_view
