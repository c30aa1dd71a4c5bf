"""CloudEvents 1.0 over HTTP: binary, structured and batch.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

What is in `data` counts first, where it has the names of our own fields: so what our webhook medium
sends is read as the event that it was.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats import fitting
from notifier.intake.formats.posted import Posted
from notifier.intake.formats.severity import level_of
from notifier.intake.reports import Report
from notifier.intake.schema import parse_event
from notifier.models import Event

_REQUIRED = ("specversion", "id", "source", "type")
_KNOWN = {
    *_REQUIRED,
    *("time", "subject", "datacontenttype", "dataschema", "data", "data_base64"),
    *("expirytime", "traceparent", "tracestate", "correlationid", "severitynumber", "severitytext"),
}
_OPENING = (".opened", ".created", ".firing", ".start")
_CLOSING = (".closed", ".resolved", ".end")
_DESCRIBING = ("description", "summary", "message", "title")
_SEVERITIES = ((21, 1), (17, 2), (13, 3), (9, 4))
"""OpenTelemetry's numbers: FATAL, ERROR, WARN, INFO; below are DEBUG and TRACE."""
_DETAIL = 5
_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
MAX_EVENTS = 1000


def matches(posted: Posted, raw: Any) -> bool:
    """Say whether headers or attributes make this a CloudEvent, or a batch of them."""
    if "ce-specversion" in posted.headers or _media_type(posted).startswith("application/cloudev"):
        return True
    first = raw[0] if isinstance(raw, list) and raw else raw
    return isinstance(first, Mapping) and all(name in first for name in _REQUIRED)


def read(posted: Posted) -> list[Report]:
    """Return a report for each CloudEvent."""
    if "ce-specversion" in posted.headers and not _media_type(posted).startswith(
        "application/cloudevents"
    ):
        return [report(_binary(posted), posted)]
    if not isinstance(posted.json, list):
        return [report(posted.json, posted)]
    if len(posted.json) > MAX_EVENTS:
        raise InvalidEvent([Problem("body", f"a batch holds at most {MAX_EVENTS} events")])
    return [report(each, posted, f"[{index}].") for index, each in enumerate(posted.json)]


def _media_type(posted: Posted) -> str:
    return posted.headers.get("content-type", "").partition(";")[0].strip().lower()


def _binary(posted: Posted) -> dict[str, Any]:
    """Return a binary event as a structured one."""
    attributes = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in posted.headers.items()
        if name.startswith("ce-") and name not in {"ce-data", "ce-data_base64"}
    }
    attributes["datacontenttype"] = posted.headers.get("content-type", "")
    return {**attributes, "data": _content(posted.body, attributes["datacontenttype"], posted)}


def _content(body: bytes, media_type: str, posted: Posted) -> Any:
    """Return data that came as bytes: JSON parsed, other text as text, the rest as base64."""
    kind = media_type.partition(";")[0].strip().lower()
    if not body:
        return None
    if kind in {"", "application/json", "text/json"} or kind.endswith("+json"):
        return posted.parse(body)
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def _data(attributes: Mapping[str, Any], posted: Posted, path: str) -> Any:
    encoded = attributes.get("data_base64")
    if encoded is None:
        return attributes.get("data")
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidEvent([Problem(f"{path}data_base64", "not base64")]) from None
    return _content(body, str(attributes.get("datacontenttype") or ""), posted)


def report(attributes: Any, posted: Posted, path: str = "") -> Report:
    """Return what a structured event reports; `path` is what its fields are named by."""
    _check(attributes, path)
    found = _data(attributes, posted, path)
    data = found if isinstance(found, Mapping) else {}
    event_type = _type(attributes, data)
    event = {
        "type": event_type,
        "level": _level(attributes, data, posted.source.default_level),
        "description": _description(attributes, data),
        "tags": _tags(attributes, data, posted.limits.tags),
        "source_event_id": fitting.name(
            f"{attributes['source'].replace(' ', '%20')} {attributes['id']}"
        ),
        "timestamp": fitting.moment(attributes.get("time")),
        "expires": fitting.expiry(attributes.get("expirytime")),
        "details_url": fitting.url(data.get("details_url")),
        "actor": fitting.text(data.get("actor"), fitting.ACTOR_LENGTH),
        "metadata": fitting.metadata(
            {
                **_extensions(attributes),
                "dataschema": attributes.get("dataschema"),
                "data": found,
            },
            posted.limits.depth,
        ),
        "traceparent": _traceparent(attributes),
    }
    if event_type != "LES":
        event["incident_key"] = _incident_key(attributes, data)
    return Report(parse_event(event, path=path.removesuffix(".")))


def _check(attributes: Any, path: str) -> None:
    if not isinstance(attributes, Mapping):
        raise InvalidEvent([Problem(path.removesuffix(".") or "body", "a CloudEvent is an object")])
    problems = [
        Problem(f"{path}{name}", "required: a text that is not empty")
        for name in _REQUIRED
        if not isinstance(attributes.get(name), str) or not attributes[name]
    ]
    if not problems and attributes["specversion"] != "1.0":
        problems = [Problem(f"{path}specversion", "only CloudEvents 1.0 are taken")]
    if problems:
        raise InvalidEvent(problems)


def _type(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    if data.get("type") in Event.Type.values and ("incident_key" in data or data["type"] == "LES"):
        return str(data["type"])
    written = attributes["type"].lower()
    if written.endswith(_OPENING):
        return "STA"
    return "END" if written.endswith(_CLOSING) else "LES"


def _level(attributes: Mapping[str, Any], data: Mapping[str, Any], default: int) -> int:
    try:
        number = float(attributes["severitynumber"])
        return next((level for least, level in _SEVERITIES if number >= least), _DETAIL)
    except (KeyError, TypeError, ValueError):
        said = level_of(attributes.get("severitytext"), default)
        return level_of(data.get("level"), level_of(data.get("severity"), said))


def _description(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    for name in _DESCRIBING:
        if said := fitting.text(data.get(name)):
            return said
    named = (fitting.text(attributes.get(name), 1000) for name in ("type", "subject"))
    return ": ".join(filter(None, named)) or "A CloudEvent"


def _tags(attributes: Mapping[str, Any], data: Mapping[str, Any], most: int) -> list[str]:
    given = data.get("tags")
    pairs: list[tuple[object, object]] = []
    if isinstance(given, Mapping):
        pairs += given.items()
    elif isinstance(given, list):
        split = (each.partition("=") for each in given if isinstance(each, str))
        pairs += ((key, value) for key, _, value in split)
    pairs += [("ce." + name, attributes.get(name)) for name in ("type", "source", "subject")]
    pairs += [("ce." + name, value) for name, value in _extensions(attributes).items()]
    return fitting.tags(pairs, most)


def _extensions(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in _KNOWN}


def _incident_key(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    own = fitting.name(data.get("incident_key")) or fitting.name(attributes.get("correlationid"))
    subject = attributes.get("subject")
    return own or fitting.name(
        attributes["source"] + (f" {subject}" if subject and isinstance(subject, str) else "")
    )


def _traceparent(attributes: Mapping[str, Any]) -> str:
    written = attributes.get("traceparent")
    return written if isinstance(written, str) and _TRACEPARENT.fullmatch(written) else ""
