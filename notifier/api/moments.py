"""Times as requests write them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer, WithJsonSchema

ISO_8601 = "write a time as ISO 8601 with its offset, such as 2026-11-23T09:30:00Z"


def _written(moment: object) -> object:
    # pydantic would take a number too, also as a text: as seconds or, by its size, milliseconds.
    if isinstance(moment, dt.datetime) or (isinstance(moment, str) and moment[4:5] == "-"):
        return moment
    raise ValueError(ISO_8601)


def _in_utc(moment: dt.datetime) -> dt.datetime:
    # by its year first: near the ends of the calendar there is no UTC, and PostgreSQL takes no
    # offset beyond 16 hours
    if not EARLIEST <= moment.year <= LATEST:
        raise ValueError(f"must lie between the years {EARLIEST} and {LATEST}")
    return moment.astimezone(dt.UTC)


EARLIEST, LATEST = 2000, 2200
Written = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]


def _on_the_clock(time: object) -> object:
    if isinstance(time, dt.time) or (isinstance(time, str) and re.fullmatch(CLOCK, time, re.ASCII)):
        return time
    raise ValueError("write a time of day as hours and minutes, such as 08:00")


CLOCK = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"
Clock = Annotated[
    dt.time,
    BeforeValidator(_on_the_clock),
    PlainSerializer(lambda time: time.isoformat("seconds")),
    WithJsonSchema({"type": "string", "pattern": CLOCK.replace(r"\d", "[0-9]")}),
]
"""A time on somebody's wall clock: no seconds' parts, no zone."""
