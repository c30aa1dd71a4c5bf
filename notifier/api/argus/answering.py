"""What every view of Argus's API does: who asks, and errors as its clients know them.

Errors have the form of Django REST Framework: `{"field": ["…"]}`, or `{"detail": "…"}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from notifier.api.bodies import admitted_body
from notifier.api.problems import RETRY_AFTER_S
from notifier.api.tokens import SourceTokenAuth
from notifier.errors import InvalidEvent, NotifierError, NotNow, TooFast, TooLarge
from notifier.intake.plain import parse_json
from notifier.models import Source
from notifier.outages import database


class Refused(NotifierError):  # noqa: N818 - reads as what it is
    """A request that is answered by an error, and of which nothing is done."""

    def __init__(
        self, status: int, answer: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.answer, self.headers = status, answer, headers or {}
        super().__init__(str(answer))


def wrong(field: str, *messages: str) -> Refused:
    """Return the refusal that names a field, the rule and the way out."""
    return Refused(400, {field: list(messages)})


def not_found(what: str) -> Refused:
    """Return the refusal of what is not there, or another source's."""
    return Refused(404, {"detail": f"This source has no such {what}."})


@dataclass(frozen=True)
class Asked:
    """A request, and the source whose token came with it."""

    request: HttpRequest
    source: Source

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object that was posted."""
        try:
            found = parse_json(admitted_body(self.request, self.source))
        except InvalidEvent as error:
            raise Refused(400, {"detail": str(error)}) from error
        if not isinstance(found, dict):
            raise wrong("non_field_errors", 'Post a JSON object, such as {"description": "…"}.')
        return found


Handler = Callable[..., tuple[int, Any]]
"""Takes an `Asked` and the parts of the path; returns a status and what is sent as JSON."""


def view(**handlers: Handler) -> Callable[..., HttpResponse]:
    """Return the view that answers each method by its handler."""

    @csrf_exempt
    def answer(request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            response = _answer(handlers, request, path)
        except Refused as refused:
            return JsonResponse(refused.answer, status=refused.status, headers=refused.headers)
        except InvalidEvent as error:
            fields = {each.field.rpartition(".")[2]: [each.message] for each in error.problems}
            return JsonResponse(fields, status=400)
        except TooLarge as error:
            return JsonResponse({"detail": str(error)}, status=413)
        except NotNow as error:
            status = 429 if isinstance(error, TooFast) else 503
            return JsonResponse(
                {"detail": str(error)},
                status=status,
                headers={"Retry-After": str(max(math.ceil(error.retry_after_s), 1))},
            )
        except (OperationalError, InterfaceError) as error:
            database.begin(error)
            detail = "The database can't be reached; nothing is known to be stored. Try again."
            return JsonResponse(
                {"detail": detail}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)}
            )
        database.end()
        return response

    return answer


def _answer(
    handlers: Mapping[str, Handler], request: HttpRequest, path: Mapping[str, Any]
) -> HttpResponse:
    asked = Asked(request, _source_of(request))
    handler = handlers.get("GET" if request.method == "HEAD" else str(request.method))
    if handler is None:
        allowed = {"Allow": ", ".join(handlers)}
        raise Refused(405, {"detail": f'Method "{request.method}" not allowed.'}, allowed)
    status, content = handler(asked, **path)
    if content is None:
        return HttpResponse(status=status)
    return JsonResponse(content, status=status, safe=False)


def _source_of(request: HttpRequest) -> Source:
    keyword, _, token = request.headers.get("Authorization", "").partition(" ")
    known = keyword.lower() in {"token", "bearer"}
    source = SourceTokenAuth().authenticate(request, token) if known else None
    if source is None:
        detail = (
            "Send a source's token as `Authorization: Token nts_…`; "
            "this one is missing, unknown or revoked."
        )
        raise Refused(401, {"detail": detail}, {"WWW-Authenticate": "Token"})
    return source
