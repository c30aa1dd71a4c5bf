"""`POST /v2/enqueue`: PagerDuty's own path and answers, for senders that let only the host be set.

The `routing_key` is the token of a source.
"""

from __future__ import annotations

import math

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from notifier.api.bodies import read_body
from notifier.api.problems import RETRY_AFTER_S
from notifier.api.tokens import find_source
from notifier.errors import InvalidEvent, NotNow, Problem, TooLarge
from notifier.intake.formats.posted import Posted
from notifier.intake.formats.registry import FORMATS
from notifier.intake.plain import parse_json
from notifier.intake.receiving import receive
from notifier.intake.source_limits import admit
from notifier.models import Source
from notifier.outages import database

MAX_BYTES = 512 * 1024
"""As PagerDuty has it; the token is inside, so a body is parsed before anybody is known."""


@csrf_exempt  # nothing here goes by a cookie
@require_POST
def enqueue(request: HttpRequest) -> HttpResponse:
    """Store an event of PagerDuty's, and answer as PagerDuty does."""
    try:
        answer = _enqueue(request)
    except TooLarge as error:
        return _refuse(413, "Body is too large", [str(error)])
    except InvalidEvent as error:
        return _refuse(400, "Event object is invalid", [str(each) for each in error.problems[:100]])
    except NotNow as error:
        return _refuse(429, "Not now", [str(error)], retry_after_s=error.retry_after_s)
    except (OperationalError, InterfaceError) as error:
        database.begin(error)
        return _refuse(503, "The database can't be reached", [], retry_after_s=RETRY_AFTER_S)
    database.end()
    return answer


def _enqueue(request: HttpRequest) -> HttpResponse:
    body = read_body(request)
    if len(body) > MAX_BYTES:
        raise TooLarge(MAX_BYTES)
    posted = Posted(body, {}, _source(body))
    admit(posted.source, len(body))
    [report], _ = receive(posted, FORMATS["pagerduty"])
    return JsonResponse(
        {
            "status": "success",
            "message": "Event processed",
            "dedup_key": report.event.incident_key,
        },
        status=202,
    )


def _source(body: bytes) -> Source:
    raw = parse_json(body)
    token = raw.get("routing_key") if isinstance(raw, dict) else None
    source = find_source(token) if isinstance(token, str) and token else None
    if source is None:
        raise InvalidEvent(
            [Problem("routing_key", "missing, unknown or revoked: send a source's token")]
        )
    return source


def _refuse(status: int, message: str, errors: list[str], retry_after_s: float = 0) -> HttpResponse:
    headers = {"Retry-After": str(max(math.ceil(retry_after_s), 1))} if retry_after_s else {}
    said = {"status": "invalid event", "message": message, "errors": errors}
    return JsonResponse(said, status=status, headers=headers)
