"""`POST /api/v1/events`: the way in over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Schema

from notifier.api.bodies import admitted_body
from notifier.api.problems import ProblemDetails, respond
from notifier.api.tokens import SourceTokenAuth
from notifier.errors import Overloaded
from notifier.intake import overload
from notifier.intake.accepting import accept
from notifier.intake.plain import parse_json
from notifier.intake.schema import EventIn, parse_event, parse_events
from notifier.intake.source_limits import check_depth, check_tags
from notifier.models import Source
from notifier.outages import database

router = Router(tags=["events"])

MAX_EVENTS = 1000


class PostedEvent(Schema):
    """An event that is stored and will be told."""

    id: UUID
    repeated: bool


class PostedEvents(Schema):
    """The events of a list, in its order."""

    events: list[PostedEvent]


EXAMPLE = {
    "description": "Link to core-2 is down",
    "type": "STA",
    "level": 2,
    "incident_key": "core-1:ge-0/0/1",
    "tags": ["host=core-1", "site=oslo"],
    "source_event_id": "4711",
}
_POSTED = {"id": "0f3ba6a4-7f5d-5d0e-9b43-8f0e3c1c2d5b", "repeated": False}
_EVENT = {"$ref": f"#/components/schemas/{EventIn.__name__}"}
_DESCRIBED = {
    "responses": {
        200: {"content": {"application/json": {"example": {**_POSTED, "repeated": True}}}},
        202: {"content": {"application/json": {"example": _POSTED}}},
        503: {
            "description": (
                "Later: the database is away, or too much waits already and none of the events is "
                "critical (level 1). Nothing was stored, as far as is known; post it again."
            ),
            "headers": {
                "Retry-After": {
                    "description": "Seconds to wait before that.",
                    "schema": {"type": "integer"},
                }
            },
        },
    },
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "example": EXAMPLE,
                "schema": {
                    "oneOf": [
                        _EVENT,
                        {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": _EVENT},
                    ]
                },
            }
        },
    },
}


@router.post(
    "/events",
    auth=SourceTokenAuth(),
    summary="Post an event, or a list of events",
    openapi_extra=_DESCRIBED,
    response={
        200: PostedEvent | PostedEvents,
        202: PostedEvent | PostedEvents,
        **dict.fromkeys((401, 403, 409, 413, 422, 429, 503), ProblemDetails),
    },
)
def post_events(request: HttpRequest) -> HttpResponse:
    """Store events, all or none.

    202 says that at least one of them is new, 200 that all were here before (the same
    `source_event_id` and body). From either answer on they will be told. While too much waits, a
    request without a critical event is answered 503, unless it repeats what is stored.
    """
    source: Source = request.auth  # type: ignore[attr-defined] # set by ninja
    raw = parse_json(admitted_body(request, source))
    listed = isinstance(raw, list)
    events = (
        parse_events(raw, most=MAX_EVENTS, field="body")
        if isinstance(raw, list)
        else [parse_event(raw)]
    )
    check_depth(source, raw)
    check_tags(source, events)
    if foreign := next(
        (event.source for event in events if event.source not in {None, source.name}), None
    ):
        return respond(
            403,
            "Another source's event",
            f"This token is source {source.name!r}'s; it can't post for {foreign!r}. Leave `source` out.",
        )
    if overload.refuses(events, source):
        raise Overloaded(overload.RETRY_AFTER_S)
    accepted = accept(events, source, listed=listed)
    database.end()
    posted = [{"id": str(each.id), "repeated": each.repeated} for each in accepted]
    body: dict[str, Any] = {"events": posted} if listed else posted[0]
    return JsonResponse(body, status=200 if all(each.repeated for each in accepted) else 202)
