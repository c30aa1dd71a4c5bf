"""Who posts: a source, by its token."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest
from ninja.security import HttpBasicAuth, HttpBearer

from notifier.intake.sources import source_of_token
from notifier.models import Source


class SourceTokenAuth(HttpBearer):
    """`Authorization: Bearer nts_…`, the token of a source."""

    def authenticate(self, _request: HttpRequest, token: str) -> Source | None:
        """Return the source of a token that is known and not revoked."""
        return find_source(token)


class SourcePasswordAuth(HttpBasicAuth):
    """The token as a password, with any user name: some senders know nothing else."""

    def authenticate(self, _request: HttpRequest, _username: str, password: str) -> Source | None:
        """Return the source of a token that is known and not revoked."""
        return find_source(password)


def find_source(token: str) -> Source | None:
    """Return the source of a token that is known and not revoked.

    The request's first question, and so its check that a connection which was kept still
    stands: Django's own would be one more trip to the database.
    """
    kept = connection.connection is not None
    connection.health_check_done = True  # type: ignore[attr-defined] # has no types
    try:
        return source_of_token(token)
    except (OperationalError, InterfaceError):
        if not kept or connection.in_atomic_block:
            raise
    connection.close()
    return source_of_token(token)
