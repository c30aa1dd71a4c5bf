"""Requests as they must be: plain JSON, and nothing that nobody reads."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from notifier.api.problems import Refused
from notifier.errors import InvalidEvent, Problem
from notifier.intake.plain import check_plain, parse_json

MOST_BYTES = 131_072
"""Of a body; what people write by hand is far below."""


_FORMS = {
    "model_type": "write an object",
    "dict_type": "write an object",
    "list_type": "write a list",
    "string_type": "write a text",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "bool_type": "write true or false",
}
"""What to write, where pydantic's own sentence tells a programmer but nobody else."""


class Given(BaseModel):
    """What comes in the body of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictParser(Parser):
    """Reads JSON without repeated keys, NaN or NUL, and takes nothing else for JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body; raise `Refused`."""
        if request.content_type != "application/json":
            raise Refused(415, "Not JSON", "Send the body with `Content-Type: application/json`.")
        if len(request.body) > MOST_BYTES:
            detail = f"The body is larger than {MOST_BYTES:,} bytes; send less."
            raise Refused(413, "Too large", detail)
        try:
            raw = parse_json(request.body)
            check_plain(raw, path="body")
        except InvalidEvent as error:
            raise Refused.invalid(
                *(Problem(_inside(each.field), each.message) for each in error.problems)
            ) from error
        return raw


def refuse_unread(request: HttpRequest, known: Collection[str], path: dict[str, Any]) -> None:
    """Raise `Refused` for query parameters that nobody reads, and texts that no database can hold."""
    if unknown := [name for name in request.GET if name not in known]:
        listed = f"known are {', '.join(sorted(known))}" if known else "there are none here"
        raise Refused.invalid(
            *(Problem(name[:80], f"unknown query parameter; {listed}") for name in unknown)
        )
    try:
        lists = request.GET.lists()
        check_plain({name: each[0] if len(each) == 1 else each for name, each in lists} | path)
    except InvalidEvent as error:
        raise Refused.invalid(*error.problems) from error


def problem_of(error: dict[str, Any], model: type[BaseModel]) -> Problem:
    """Return what pydantic found wrong with a request, `model` being what ninja made of its view."""
    location = error["loc"]
    match error["type"]:
        case "extra_forbidden":
            message = f"unknown field; known are {', '.join(_fields(model, location[:-1]))}"
        case "missing":
            message = "required"
        case "timezone_aware":
            message = "has no time zone: add an offset, such as 2026-11-23T09:30:00+01:00 or …Z"
        case kind if kind in _FORMS:
            message = _FORMS[kind]
        case _:
            message = _said(error["msg"])
    return Problem(_named(location, model), message)


def _said(message: str) -> str:
    """Return pydantic's sentence without the words for programmers."""
    message = re.sub(r"^(Input|String|List|Value) should ", "must ", message)
    return re.sub(r" after validation, not \d+$", "", message.removeprefix("Value error, "))


def _named(location: tuple[int | str, ...], model: Any) -> str:
    """Return a field's path without the name that the view has for all of the body."""
    if model.__ninja_param_source__ == "body":
        location = location[1:]
    elif len(location) > 1:  # of a model that holds all query parameters
        location = location[-1:]
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part[:80]}"
    return path.removeprefix(".") or "body"


def _inside(field: str) -> str:
    return field.removeprefix("body.") if field.startswith("body.") else field


def _fields(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the model at a place inside another."""
    for part in location:
        field: FieldInfo | None = getattr(model, "model_fields", {}).get(part)
        if field is not None:
            model = field.annotation
        elif isinstance(part, int):
            model = model.__args__[0]
    return sorted(getattr(model, "model_fields", ()))
