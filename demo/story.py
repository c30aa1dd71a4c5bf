"""What happens in the demo: `events.json`, posted over HTTP as their sources would post them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from demo import loopback
from demo.parts import PartFailed
from demo.surroundings import ZONE
from notifier.models import Source, SourceToken

EVENTS = Path(__file__).with_name("events.json")
SOURCES = {"network-monitor": "monitoring", "cron": "cron", "webshop": "app"}
"""Names and types."""

_DAYS = {"Sat": -2, "Mon": 0}


def load_events(now: dt.datetime) -> list[dict[str, Any]]:
    """Return the events, ready to be posted.

    They are dated back to the last weekend that is over, by the clocks of Oslo: timeslots go by
    an event's own timestamp, so Ben's office hours are closed on Saturday and open on Monday
    whenever the demo runs. A monitor that reports late does the same.
    """
    yesterday = now.astimezone(ZoneInfo(ZONE)).date() - dt.timedelta(days=1)
    monday = yesterday - dt.timedelta(days=yesterday.weekday())
    events: list[dict[str, Any]] = json.loads(EVENTS.read_text("utf-8"))
    for event in events:
        event["timestamp"] = _moment(event.pop("at"), monday).isoformat()
    return events


def _moment(at: str, monday: dt.date) -> dt.datetime:
    day, _, time = at.partition(" ")
    date = monday + dt.timedelta(days=_DAYS[day])
    return dt.datetime.combine(date, dt.time.fromisoformat(time), ZoneInfo(ZONE))


def make_sources() -> dict[str, str]:
    """Create the sources; return each one's token."""
    return {
        name: SourceToken.issue(Source.objects.create(name=name, type=kind))
        for name, kind in SOURCES.items()
    }


def post(event: dict[str, Any], *, port: int, token: str) -> UUID:
    """Post an event and return its id; raise `PartFailed` where it is not accepted."""
    status, answer = loopback.request(port, "POST", "/api/v1/events", body=event, token=token)
    if status != 202:  # noqa: PLR2004 - accepted
        raise PartFailed(f"web answered an event with {status}: {answer.decode()[:500]}")
    return UUID(json.loads(answer)["id"])
