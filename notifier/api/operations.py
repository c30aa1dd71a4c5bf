"""The one way of declaring an operation of persons: nothing is left out of its description.

What an operation says of itself is checked as it is declared, so a missing example ends the process
at start and not in a reader's hands::

    operations = Operations("timeslots")

    @operations.get("/timeslots/{timeslot_id}", summary="Show a timeslot", returns=ShownTimeslot)
    def get_timeslot(request: CallerRequest, timeslot_id: Id) -> ShownTimeslot:
        \"\"\"Show one of your timeslots.\"\"\"

`returns` and the body's model have an `EXAMPLE`. What changes something runs in one transaction in
which the caller's row is locked: a person's changes happen one after another. With `versioned`
an answer has an ETag; what changes such a thing is `guarded`: its view calls `require_version`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar, get_type_hints

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from ninja import Router
from pydantic import BaseModel, Field

from notifier.api.callers import ApiTokenAuth, CallerRequest, SessionAuth
from notifier.api.paging import Page
from notifier.api.problems import ProblemDetails
from notifier.api.strict import Given, refuse_unread
from notifier.api.versions import version_of
from notifier.models import Scope
from notifier.models.person import lock_owner

P = ParamSpec("P")
R = TypeVar("R", bound=BaseModel | None)
View = Callable[P, R]

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""A row's id in a path."""

ALWAYS = (401, 403, 422, 429, 503)
WITH_BODY = (409, 413, 415)
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what is to be changed, as it came with it; `*` for whatever it is.",
    "schema": {"type": "string"},
}
ETAG = {"description": "Its version, for `If-Match`.", "schema": {"type": "string"}}


class Operations:
    """The operations of one subject; `router` is to be added to the API."""

    def __init__(
        self, tag: str, *, permissions: Sequence[str] = (), router: Router | None = None
    ) -> None:
        """`permissions` are Django's, which all of these operations want: they are operators'.

        All operations of a path are of one router: `router` is one that has others of it.
        """
        self.router = router or Router(tags=[tag])
        self._permissions = tuple(permissions)

    def get(self, path: str, **said: Any) -> Callable[[View[P, R]], View[P, R]]:
        """Declare what changes nothing."""
        return self._declare("GET", path, **said)

    def post(
        self, path: str, *, status: int = 201, **said: Any
    ) -> Callable[[View[P, R]], View[P, R]]:
        """Declare what makes something, or does it: then its status is 200 or 202."""
        return self._declare("POST", path, status=status, **said)

    def patch(self, path: str, **said: Any) -> Callable[[View[P, R]], View[P, R]]:
        """Declare what changes something: only the fields that are sent."""
        return self._declare("PATCH", path, **{"guarded": True, "versioned": True, **said})

    def put(self, path: str, **said: Any) -> Callable[[View[P, R]], View[P, R]]:
        """Declare what replaces something."""
        return self._declare("PUT", path, **{"guarded": True, "versioned": True, **said})

    def delete(self, path: str, **said: Any) -> Callable[[View[P, R]], View[P, R]]:
        """Declare what deletes something."""
        return self._declare(
            "DELETE", path, **{"guarded": True, "status": 204, "returns": None, **said}
        )

    def _declare(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        returns: type[BaseModel] | None,
        status: int = 200,
        refuses: Collection[int] = (),
        scope: Scope | None = None,
        permissions: Sequence[str] = (),
        versioned: bool = False,
        guarded: bool = False,
    ) -> Callable[[View[P, R]], View[P, R]]:
        """`refuses` are the statuses of problems beyond those that follow from the rest."""
        needed = (*self._permissions, *permissions)
        if scope is None:
            scope = Scope.OPERATE if needed else Scope.READ if method == "GET" else Scope.WRITE

        def declare(view: View[P, R]) -> View[P, R]:
            hints = get_type_hints(view, include_extras=True)
            body = next(filter(_is_body, hints.values()), None)
            if not view.__doc__:
                raise TypeError(f"{view.__name__}: an operation's docstring describes it to users")
            problems = {*ALWAYS, *refuses}
            problems |= {404} if "{" in path else set()
            problems |= set(WITH_BODY) if body else set()
            problems |= {412, 428} if guarded else set()
            known: list[str] = []
            changing = _changing if scope is not Scope.READ else _looking
            run = _running(view, hints, changing, status, known, versioned=versioned)
            self.router.api_operation(
                [method],
                path,
                auth=[ApiTokenAuth(scope, needed), SessionAuth(scope, needed)],
                summary=summary,
                description=_description(view, scope, needed),
                response={status: returns, **dict.fromkeys(sorted(problems), ProblemDetails)},
                openapi_extra=_extra(status, returns, body, versioned=versioned, guarded=guarded),
            )(run)
            models = self.router.path_operations[path].operations[-1].models
            known += _query_parameters(models)
            return view

        return declare


def example_of(model: Any) -> Any:
    """Return the example of what a view takes or answers; a page's is one of its item."""
    if issubclass(model, Page):
        [item] = model.__pydantic_generic_metadata__["args"]
        return {"items": [example_of(item)], "next": None}
    if not hasattr(model, "EXAMPLE"):
        raise TypeError(f"{model.__name__} needs an EXAMPLE, to be shown in the description")
    return model.EXAMPLE


def _is_body(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Given)


def _running(
    view: Callable[..., Any],
    hints: dict[str, Any],
    inside: Callable[[CallerRequest], AbstractContextManager[Any]],
    status: int,
    known: Collection[str],
    *,
    versioned: bool,
) -> Callable[..., HttpResponse]:
    """Return what ninja calls: checks what it does not, and answers."""

    @wraps(view)
    def run(request: CallerRequest, **values: Any) -> HttpResponse:
        refuse_unread(request, known, _texts(request))
        with inside(request):
            return _answer(request, view(request, **values), status, versioned=versioned)

    signature = inspect.signature(view)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined] # ninja would look its names up here
        parameters=[
            each.replace(annotation=hints.get(each.name, each.annotation))
            for each in signature.parameters.values()
        ]
    )
    return run


def _looking(_request: CallerRequest) -> AbstractContextManager[Any]:
    return nullcontext()


@contextmanager
def _changing(request: CallerRequest) -> Iterator[None]:
    with transaction.atomic():
        lock_owner(request.auth.user)
        yield


def _answer(
    request: CallerRequest, shown: BaseModel | None, status: int, *, versioned: bool
) -> HttpResponse:
    if shown is None:
        return HttpResponse(status=status)
    answer = JsonResponse(shown.model_dump(mode="json"), status=status)
    if versioned:
        answer["ETag"] = version_of(shown)
    if status == 201 and (pk := getattr(shown, "id", None)):  # noqa: PLR2004 - HTTP's number
        answer["Location"] = f"{request.path.rstrip('/')}/{pk}"
    return answer


def _query_parameters(models: Sequence[Any]) -> list[str]:
    """Return the names of the query parameters that ninja reads for a view."""
    return [
        name
        for model in models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    ]


def _texts(request: CallerRequest) -> dict[str, str]:
    """Return what the path holds, as it was sent."""
    found = request.resolver_match.kwargs if request.resolver_match else {}
    return {name: str(value) for name, value in found.items()}


def _description(view: Callable[..., Any], scope: Scope, permissions: Sequence[str]) -> str:
    needs = f"A token needs the scope `{scope.value}`"
    if permissions:
        needs += f", and its user {' and '.join(f'`{each}`' for each in permissions)}"
    return f"{inspect.cleandoc(view.__doc__ or '')}\n\n{needs}."


def _extra(
    status: int, returns: type[BaseModel] | None, body: Any, *, versioned: bool, guarded: bool
) -> dict[str, Any]:
    """Return what ninja can't tell of an operation by itself."""
    answer: dict[str, Any] = {}
    if returns is not None:
        answer["content"] = {"application/json": {"example": example_of(returns)}}
    headers = {"ETag": ETAG} if versioned else {}
    if status == 201 and "id" in getattr(returns, "model_fields", ()):  # noqa: PLR2004 - HTTP's number
        headers["Location"] = {"description": "Where it is.", "schema": {"type": "string"}}
    if headers:
        answer["headers"] = headers
    extra: dict[str, Any] = {"responses": {status: answer}}
    if body is not None:
        extra["requestBody"] = {"content": {"application/json": {"example": example_of(body)}}}
    if guarded:
        extra["parameters"] = [IF_MATCH]
    return extra
