"""What operators may do beside what everybody may."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet

from notifier.api.callers import CallerRequest
from notifier.api.problems import Refused
from notifier.errors import Problem

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Row = TypeVar("Row", bound=Model)


def require(request: CallerRequest, *permissions: str) -> None:
    """Raise `Refused` unless an operator asks who has all these permissions."""
    if not request.auth.operates(*permissions):
        needed = " and ".join(permissions)
        detail = f"This needs the permission {needed}, and of a token the scope 'operate'."
        raise Refused(403, "Not permitted", detail)


def found(rows: QuerySet[Row], pk: int) -> Row:
    """Return a row that is nobody's own; raise `Refused`."""
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Refused(404, "Not found", f"There is no {rows.model._meta.verbose_name} {pk}.")
    return row


def person(username: str, field: str = "user") -> User:
    """Return the user whom a field of the request names; raise `Refused`."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: username}).first()
    if user is None:
        raise Refused.invalid(Problem(field, f"there is no user {username!r}"))
    return user
