"""A request's body, if its source may post it."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from notifier.errors import TooLarge
from notifier.intake.source_limits import admit
from notifier.models import Source


def read_body(request: HttpRequest) -> bytes:
    """Return the body; raise `TooLarge` for more than the site takes."""
    try:
        return request.body
    except RequestDataTooBig:
        raise TooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) from None


def admitted_body(request: HttpRequest, source: Source) -> bytes:
    """Return the body of a source's request; raise `TooLarge`, or `TooFast` by its own limit."""
    body = read_body(request)
    admit(source, len(body))
    return body
