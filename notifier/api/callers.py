"""Who asks: a person, by a session of the pages or a token of their programs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from notifier import conf
from notifier.api.problems import Refused
from notifier.limiting import request_limiter
from notifier.limits import Limit, Rate
from notifier.models import ApiToken, Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and the token they use; None in a session."""

    user: User
    token: ApiToken | None = None

    def operates(self, *permissions: str) -> bool:
        """Say whether this is an operator, with the scope where there is a token, who may do all this."""
        scoped = self.token is None or Scope.OPERATE in self.token.scopes
        return scoped and self.user.has_perms(permissions)


class CallerRequest(HttpRequest):
    """A request to an operation of persons: what their views are handed."""

    auth: Caller


class _Auth(AuthBase):
    """Lets through who has the scope and every one of Django's permissions that an operation wants."""

    def __init__(self, scope: Scope, permissions: Sequence[str] = ()) -> None:
        self.scope, self.permissions = scope, permissions
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller | None:
        """Return who asks, or None for nobody; raise `Refused`."""
        caller = self.authenticate(request)
        if caller is None:
            return None
        _refuse_too_fast(caller.user)
        if caller.token and self.scope not in caller.token.scopes:
            raise Refused(
                403, "Scope missing", f"This needs a token with the scope {self.scope.value!r}."
            )
        if not caller.user.has_perms(self.permissions):
            needed = " and ".join(self.permissions)
            raise Refused(403, "Not permitted", f"This needs the permission {needed}.")
        return caller

    @abstractmethod
    def authenticate(self, request: HttpRequest) -> Caller | None:
        """Return who asks, or None for nobody; raise `Refused`."""


class ApiTokenAuth(_Auth):
    """`Authorization: Bearer ntu_…`, a token of a person."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A person's token, which `notifier token` or POST /tokens makes."

    def authenticate(self, request: HttpRequest) -> Caller | None:
        """Return the token's user; whoever sends none may have a session."""
        sent = request.headers.get("Authorization")
        if sent is None:
            return None
        scheme, _, token = sent.partition(" ")
        found = ApiToken.find(token) if scheme.lower() == "bearer" else None
        if found is None:
            raise _unknown()
        return Caller(found.user, found)


class SessionAuth(_Auth):
    """A session of the pages; what it changes comes with Django's CSRF token."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = "sessionid"
    openapi_description = "The pages' session; to change anything, send `X-CSRFToken` too."

    def authenticate(self, request: HttpRequest) -> Caller | None:
        """Return the session's user; raise `Refused` where there is none."""
        user: Any = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            raise _unknown()
        if check_csrf(request):
            raise Refused(
                403,
                "CSRF token missing",
                "Send the cookie `csrftoken` as the header X-CSRFToken too.",
            )
        return Caller(user)


def _unknown() -> Refused:
    return Refused(
        401,
        "Unauthorized",
        "Send a person's token (ntu_…) as `Authorization: Bearer …`; this one is missing, unknown, "
        "expired or revoked, or its user is not active.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _refuse_too_fast(user: User) -> None:
    """Count a request; all tokens and sessions of a user share one limit."""
    if not (rate := conf.API_RATE()):
        return
    full = request_limiter().take(Limit(f"api:{user.pk}", Rate.parse(rate)))
    if full:
        raise Refused(
            429,
            "Too fast",
            f"You may ask {rate}, whichever token you use. Ask again after Retry-After.",
            headers={"Retry-After": str(max(1, math.ceil(full.wait_s)))},
        )
