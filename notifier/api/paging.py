"""Pages of lists: a cursor says behind which row the next one begins, so that none is missed or doubled."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from django.core.signing import BadSignature, Signer
from django.db.models import Model, QuerySet
from pydantic import BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.problems import Refused
from notifier.errors import Problem

Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row", bound=Model)


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: Annotated[
        str | None, Field(description="The `cursor` of the next page; null on the last one.")
    ]


class Paging(BaseModel):
    """The query parameters of each list; a list with filters adds its own to them."""

    limit: Annotated[int, Field(ge=1, le=200, description="At most so many items.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=1000, description="What `next` said on the page before.")
    ] = None


def seal(request: CallerRequest, *place: Any) -> str:
    """Return the cursor for a place in the list that a request asks for; `place` is plain JSON."""
    return _signer(request).sign_object(list(place))


def unseal(request: CallerRequest, cursor: str) -> list[Any]:
    """Return the place that `seal` was given; raise `Refused` unless the list is the same one."""
    try:
        place: list[Any] = _signer(request).unsign_object(cursor)
    except (BadSignature, ValueError):
        raise Refused.invalid(
            Problem("cursor", "must be the `next` of this list with these filters; or leave it out")
        ) from None
    return place


def _signer(request: CallerRequest) -> Signer:
    """Return what signs for one list: the path, who asks, and every filter."""
    asked = sorted(
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if name not in Paging.model_fields
    )
    return Signer(salt=f"notifier.api {request.path} {request.auth.user.pk} {asked}")


def page_by_id(
    request: CallerRequest, rows: QuerySet[Row], asked: Paging
) -> tuple[list[Row], str | None]:
    """Return a page of rows, oldest first, and the next one's cursor."""
    if asked.cursor is not None:
        [after] = unseal(request, asked.cursor)
        rows = rows.filter(pk__gt=after)
    found = list(rows.order_by("pk")[: asked.limit + 1])
    if len(found) <= asked.limit:
        return found, None
    found.pop()
    return found, seal(request, found[-1].pk)
