"""The API's description of itself (OpenAPI 3.1), beyond what ninja says."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, cast

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic import BaseModel, ValidationError

from notifier.api.problems import ProblemDetails, Refused
from notifier.api.strict import problem_of

PROBLEM_REF = f"#/components/schemas/{ProblemDetails.__name__}"
SECONDS = {"description": "Seconds to wait before that.", "schema": {"type": "integer"}}

_PROBLEMS: dict[int, tuple[str, str, dict[str, Any]]] = {
    401: (
        "Nobody: the token is missing, unknown, expired or revoked.",
        "Unauthorized",
        {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}},
    ),
    403: ("Not with this token, or not as this user.", "Not permitted", {}),
    404: ("There is no such thing that you may see.", "Not found", {}),
    409: ("Not as things are: in use, one too many, or changed at the same moment.", "In use", {}),
    412: ("It is not in the version that `If-Match` names.", "Changed meanwhile", {}),
    413: ("The body is too large.", "Too large", {}),
    415: ("The body is no JSON by its `Content-Type`.", "Not JSON", {}),
    422: ("The request breaks rules; `errors` names the fields.", "Invalid request", {}),
    428: ("`If-Match` is missing.", "Version missing", {}),
    429: ("Too fast; ask again later.", "Too fast", {"Retry-After": SECONDS}),
    503: (
        "Later: the database is away. It is not known whether anything was stored.",
        "Database away",
        {"Retry-After": SECONDS},
    ),
}


class Api(NinjaAPI):
    """Names operations by their views, tells of problems as they are, and links what belongs together.

    `models` are those that operations name in what they say of themselves.
    """

    def __init__(self, *, models: Iterable[type[BaseModel]] = (), **options: Any) -> None:
        self._models = {each.__name__: each for each in models}
        super().__init__(**options)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of the view."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Return the description."""
        document = copy.deepcopy(dict(super().get_openapi_schema(**options)))
        for name, model in self._models.items():
            document["components"]["schemas"][name] = model.model_json_schema()
        for _path, _method, operation in operations_of(document):
            operation["responses"] = {
                str(status): _described(int(status), response)
                for status, response in operation["responses"].items()
            }
        _link(document)
        return cast("OpenAPISchema", document)

    def validation_error_from_error_contexts(self, error_contexts: Any) -> Any:
        """Return a problem that names each field."""
        return Refused.invalid(
            *(
                problem_of(cast("dict[str, Any]", each), context.model)
                for context in error_contexts
                for each in _errors(context.pydantic_validation_error)
            )
        )


def _errors(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each operation of a description, with its path and its method in capitals."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _described(status: int, response: dict[str, Any]) -> dict[str, Any]:
    """Return a response as it is answered: a problem has a content type of its own, and an example."""
    content = response.get("content", {})
    if content.get("application/json", {}).get("schema", {}).get("$ref") != PROBLEM_REF:
        return response
    phrase = response["description"]
    description, title, headers = _PROBLEMS.get(status, (phrase, phrase, {}))
    example = {"type": "about:blank", "title": title, "status": status, "detail": "…", "errors": []}
    if status == 422:  # noqa: PLR2004 - HTTP's number
        example["errors"] = [{"field": "name", "message": "required"}]
        example["detail"] = "name: required"
    found = {
        **response,
        "description": description if phrase == HTTPStatus(status).phrase else phrase,
        "content": {
            "application/problem+json": {"schema": {"$ref": PROBLEM_REF}, "example": example}
        },
    }
    if headers:
        found["headers"] = {**headers, **response.get("headers", {})}
    return found


def _link(document: dict[str, Any]) -> None:
    """Say of what makes something which operations take its id."""
    for path, method, operation in operations_of(document):
        made = operation["responses"].get("201")
        if method != "POST" or made is None or "Location" not in made.get("headers", {}):
            continue
        links = {}
        for other, _method, target in operations_of(document):
            inside = re.match(re.escape(path) + r"/\{(\w+)\}", other)
            if inside and other.count("{") == path.count("{") + 1:
                links[target["operationId"]] = _linked(inside[1], target)
        if links:
            made["links"] = links


def _linked(name: str, target: dict[str, Any]) -> dict[str, Any]:
    parameters = {f"path.{name}": "$response.body#/id"}
    if any(each["name"] == "If-Match" for each in target.get("parameters", ())):
        parameters["header.If-Match"] = "$response.header.ETag"
    return {
        "operationId": target["operationId"],
        "description": target["summary"],
        "parameters": parameters,
    }
