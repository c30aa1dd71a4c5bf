"""Who posts: a source, by its token."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import HttpBearer

from notifier.models import Source, SourceToken


class SourceTokenAuth(HttpBearer):
    """`Authorization: Bearer nts_…`, the token of a source."""

    def authenticate(self, _request: HttpRequest, token: str) -> Source | None:
        """Return the source of a token that is known and not revoked."""
        found = (
            SourceToken.objects.select_related("source")
            .filter(sha256=SourceToken.digest(token), revoked_at=None)
            .first()
        )
        return found.source if found else None
