"""Pages of a source's incidents, the newest first."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from notifier.api.argus.answering import Asked, wrong
from notifier.api.argus.filtering import asked_for
from notifier.api.argus.showing import described, show_incidents
from notifier.models import Incident

PAGE_SIZE, LARGEST_PAGE = 100, 1000

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def list_incidents(asked: Asked) -> tuple[int, dict[str, Any]]:
    """Return a page of the source's incidents that match, with the addresses of those around it."""
    request = asked.request
    size = _page_size(request)
    cursor = request.GET.get("cursor", "")
    backwards, beyond = _read(cursor)
    mine = described(Incident.objects.filter(source=asked.source))
    rows = mine.filter(asked_for(request.GET), beyond)
    order = ("start_time", "pk") if backwards else ("-start_time", "-pk")
    found = list(rows.order_by(*order)[: size + 1])
    more, page = len(found) > size, found[:size]
    if backwards:
        page.reverse()
    return 200, {
        "next": _link(request, "n", page[-1:], there=more or backwards),
        "previous": _link(request, "p", page[:1], there=more if backwards else bool(cursor)),
        "results": show_incidents(page, asked.source),
    }


def _page_size(request: HttpRequest) -> int:
    size = request.GET.get("page_size") or str(PAGE_SIZE)
    if not re.fullmatch(r"[1-9]\d{0,8}", size, re.ASCII):
        raise wrong("page_size", f"Write a whole number from 1 to {LARGEST_PAGE}.")
    return min(int(size), LARGEST_PAGE)


def _read(cursor: str) -> tuple[bool, Q]:
    """Return whether a cursor leads back to newer ones, and the condition of what is beyond it."""
    if not cursor:
        return False, Q()
    parsed = re.fullmatch(r"([np])(\d{1,16})-(\d{1,18})", cursor, re.ASCII)
    if parsed is None:
        raise wrong("cursor", "It is none of ours; begin without one and follow `next`.")
    start_time = _EPOCH + int(parsed[2]) * _MICROSECOND
    backwards, how = parsed[1] == "p", "gt" if parsed[1] == "p" else "lt"
    # the first condition is what an index can begin with
    return backwards, Q(**{f"start_time__{how}e": start_time}) & (
        Q(**{f"start_time__{how}": start_time}) | Q(**{f"pk__{how}": int(parsed[3])})
    )


def _link(request: HttpRequest, way: str, last: Sequence[Incident], *, there: bool) -> str | None:
    if not there or not last:
        return None
    parameters = request.GET.copy()
    parameters["cursor"] = f"{way}{(last[0].start_time - _EPOCH) // _MICROSECOND}-{last[0].pk}"
    return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")
