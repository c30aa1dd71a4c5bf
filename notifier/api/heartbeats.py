"""`POST /api/v1/heartbeat`: a source is alive, and has nothing to report."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from notifier.api.problems import ProblemDetails
from notifier.api.tokens import SourceTokenAuth
from notifier.intake.heartbeats import beat
from notifier.intake.source_limits import admit
from notifier.models import Source
from notifier.outages import database

router = Router(tags=["events"])


@router.post(
    "/heartbeat",
    auth=SourceTokenAuth(),
    summary="Give a sign of life",
    response={204: None, **dict.fromkeys((401, 429, 503), ProblemDetails)},
)
def post_heartbeat(request: HttpRequest) -> HttpResponse:
    """Note that the token's source is alive.

    A source with an expected interval that falls silent for longer has an incident of its own,
    which ends when it is back.
    """
    source: Source = request.auth  # type: ignore[attr-defined] # set by ninja
    admit(source, 0)
    beat(source)
    database.end()
    return HttpResponse(status=204)
