"""Versions of what two people may edit at once: ETag and If-Match."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest
from django.utils.http import parse_etags
from pydantic import BaseModel

from notifier.api.problems import Refused


def version_of(shown: BaseModel) -> str:
    """Return the ETag of something as it is shown."""
    return f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def require_version(request: HttpRequest, shown: BaseModel) -> None:
    """Raise `Refused` unless the request names the version that something, locked, has now."""
    named = request.headers.get("If-Match")
    if named is None:
        raise Refused(
            428,
            "Version missing",
            "Send the ETag that came with it as `If-Match`, so that nobody's change is lost.",
        )
    if not {"*", version_of(shown)}.intersection(parse_etags(named)):
        raise Refused(
            412,
            "Changed meanwhile",
            "It is not as it was in the version that `If-Match` names. Get it again, and then change it.",
        )
