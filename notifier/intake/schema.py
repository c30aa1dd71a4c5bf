"""What an event must be to be accepted: one model for every way in."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from notifier.conditions import EventType
from notifier.errors import InvalidEvent, Problem
from notifier.plain import check_plain

MAX_DESCRIPTION = 16_384
MAX_TAGS = 64
MAX_RECIPIENTS = 10_000
MAX_METADATA_BYTES = 65_536
FUTURE_ALLOWED = dt.timedelta(days=1)
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
LATEST_EXPIRY = dt.timedelta(days=3650)

_ISO_8601 = "write a time as ISO 8601 with its offset, such as 2026-11-23T09:30:00Z"
_FORMS = {
    "level": "write a whole number from 1 (critical) to 5 (information)",
    "tags": "write key=value each, in a list; a key holds letters, digits and _ . : / @ - only",
    "recipients": 'write usernames in a list, such as ["anna"]; leave it out to name nobody',
    "timestamp": _ISO_8601,
    "expires": _ISO_8601,
    "details_url": "write an address that starts with http:// or https:// and holds no space",
    "metadata": 'write an object, such as {"rack": 7}',
    "traceparent": "write it as W3C Trace Context does: 00-<32 hex digits>-<16>-<2>, in lower case",
}
_PYDANTIC_ALONE = ("Input should be", "String should match", "List should have at least")
"""What to write, where pydantic's own sentence tells a programmer but nobody else."""

_Text255 = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Tag = Annotated[
    str, StringConstraints(max_length=256, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/@-]*=(?s:.+)$")
]


def _listed(tags: object) -> object:
    """Read `{"key": "value"}` as `["key=value"]`."""
    return [f"{key}={value}" for key, value in tags.items()] if isinstance(tags, Mapping) else tags


def _written(moment: object) -> object:
    # pydantic would take a number too, also as a text: as seconds or, by its size, milliseconds.
    if isinstance(moment, dt.datetime) or (isinstance(moment, str) and moment[4:5] == "-"):
        return moment
    raise ValueError(_ISO_8601)


def _happened(moment: dt.datetime) -> dt.datetime:
    latest = dt.datetime.now(dt.UTC) + FUTURE_ALLOWED
    if not EARLIEST <= moment <= latest:
        raise ValueError("must lie between the year 2000 and a day from now")
    return moment.astimezone(dt.UTC)


def _will_end(moment: dt.datetime) -> dt.datetime:
    if not EARLIEST <= moment <= dt.datetime.now(dt.UTC) + LATEST_EXPIRY:
        raise ValueError("must lie between the year 2000 and ten years from now")
    return moment.astimezone(dt.UTC)


def _says_something(description: str) -> str:
    # Python's blanks, which are more than pydantic's: \x1c to \x1f too
    if not description.strip():
        raise ValueError("must say what happened")
    return description


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(metadata))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error}; write it as texts, numbers, lists and objects") from error
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"{size:,} bytes as JSON; at most {MAX_METADATA_BYTES:,}")
    return metadata


_Happened = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_happened)]
_WillEnd = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_will_end)]


class EventIn(BaseModel):
    """One event as it is posted."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "description": "Link to core-2 is down",
                    "type": "STA",
                    "level": 2,
                    "incident_key": "core-1:ge-0/0/1",
                    "tags": ["host=core-1", "site=oslo"],
                    "source_event_id": "4711",
                }
            ]
        },
    )

    description: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_DESCRIPTION),
        AfterValidator(_says_something),
        Field(description="What happened, for people."),
    ]
    type: Annotated[
        EventType,
        Field(description="STA, END, CHI, …; LES (stateless) where there is no incident_key."),
    ] = "LES"
    level: Annotated[
        int, Field(strict=True, ge=1, le=5, description="1 (critical) … 5 (information).")
    ] = 5
    tags: Annotated[
        list[_Tag],
        BeforeValidator(_listed),
        Field(max_length=MAX_TAGS),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "maxItems": MAX_TAGS, "items": {"type": "string"}},
                    {"type": "object", "maxProperties": MAX_TAGS},
                ],
                "description": "`key=value` each; or an object.",
            }
        ),
    ] = []
    source: Annotated[
        _Text255 | None, Field(description="Name of the source; over HTTP the token's own.")
    ] = None
    source_event_id: Annotated[
        _Text255 | None, Field(description="The source's own id: the same twice is one event.")
    ] = None
    incident_key: Annotated[
        _Text255 | None, Field(description="The thread that a stateful event belongs to.")
    ] = None
    recipients: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=254)]] | None,
        Field(min_length=1, max_length=MAX_RECIPIENTS, description="Usernames to be told."),
    ] = None
    timestamp: Annotated[
        _Happened | None,
        Field(description="When it happened, with its offset; left out: now."),
    ] = None
    expires: Annotated[
        _WillEnd | None,
        Field(description="From then on nobody needs to be told."),
    ] = None
    details_url: Annotated[
        str, StringConstraints(max_length=2048, pattern=r'^(|https?://[^\s\x1c-\x1f<>"]+)$')
    ] = ""
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    actor: Annotated[str, StringConstraints(max_length=150)] = ""
    traceparent: Annotated[
        str, Field(pattern=r"^(|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})$")
    ] = ""

    @model_validator(mode="before")
    @classmethod
    def _start_by_default(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("incident_key") and not data.get("type"):
            return {**data, "type": "STA"}
        return data

    @model_validator(mode="after")
    def _thread_and_type_agree(self) -> EventIn:
        if self.type == "LES" and self.incident_key is not None:
            raise ValueError(
                "a stateless event (LES) belongs to no incident: leave out incident_key, or type"
            )
        if self.type != "LES" and self.incident_key is None:
            raise ValueError(f"type {self.type} needs an incident_key: the thread it belongs to")
        return self

    def body_sha256(self) -> str:
        """Return what tells a repeat from another event of the same id: a hash of what was sent."""
        sent = self.model_dump(mode="json", exclude_unset=True, exclude={"source"})
        return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()


def parse_event(raw: object, *, path: str = "") -> EventIn:
    """Validate one event; raise `InvalidEvent` naming every field that breaks a rule.

    `path` is where the event stands in what was posted, such as `[3]`.
    """
    check_plain(raw, path=path)
    try:
        return EventIn.model_validate(raw)
    except ValidationError as error:
        raise InvalidEvent(
            [
                _problem(dict(each), path)
                for each in error.errors(include_url=False, include_context=False)
            ]
        ) from error


def parse_events(raw: Sequence[object], *, most: int, field: str) -> list[EventIn]:
    """Validate the events of a list; raise `InvalidEvent` naming all that is wrong with any.

    `field` is what the list itself is called where it is empty or holds more than `most`.
    """
    if not 1 <= len(raw) <= most:
        raise InvalidEvent(
            [Problem(field, f"a list holds 1 to {most} events; this one {len(raw)}")]
        )
    events: list[EventIn] = []
    problems: list[Problem] = []
    for index, each in enumerate(raw):
        try:
            events.append(parse_event(each, path=f"[{index}]"))
        except InvalidEvent as error:
            problems += error.problems
    if problems:
        raise InvalidEvent(problems)
    return events


def _problem(error: dict[str, Any], path: str) -> Problem:
    match error["type"]:
        case "extra_forbidden":
            message = f"unknown field; known are {', '.join(EventIn.model_fields)}"
        case "missing":
            message = "required"
        case "model_type" | "dict_type" if not error["loc"]:
            message = 'an event is an object, such as {"description": "disk full", "level": 2}'
        case "timezone_aware":
            message = "has no time zone: add an offset, such as 2026-11-23T09:30:00+01:00 or …Z"
        case _:
            message = error["msg"].removeprefix("Value error, ")
            if message.startswith(_PYDANTIC_ALONE) and error["loc"]:
                message = _FORMS.get(error["loc"][0], message)
    return Problem(_field(path, error["loc"]), message)


def _field(path: str, location: tuple[int | str, ...]) -> str:
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part[:80]}"
    return path.removeprefix(".") or "event"
