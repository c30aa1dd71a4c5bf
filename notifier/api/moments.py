"""Times as requests write them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

ISO_8601 = "write a time as ISO 8601 with its offset, such as 2026-11-23T09:30:00Z"


def _written(moment: object) -> object:
    # pydantic would take a number too, also as a text: as seconds or, by its size, milliseconds.
    if isinstance(moment, dt.datetime) or (isinstance(moment, str) and moment[4:5] == "-"):
        return moment
    raise ValueError(ISO_8601)


Written = Annotated[AwareDatetime, BeforeValidator(_written)]
