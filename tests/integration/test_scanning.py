"""Pages of long tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.api import scanning
from notifier.api.scanning import Place, scan
from notifier.ids import new_event_id
from notifier.models import Event, Source

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def add_events(moments: list[tuple[int, int]]) -> None:
    """Add events by the minute in which they came and their level."""
    source, _ = Source.objects.get_or_create(name="shop")
    Event.objects.bulk_create(
        [
            Event(
                id=new_event_id(),
                source=source,
                type="LES",
                level=level,
                description="x",
                timestamp=NOON,
                received=NOON + dt.timedelta(minutes=minute),
            )
            for minute, level in moments
        ]
    )


def pages(limit: int, **options: Any) -> list[list[Event]]:
    """Return all pages."""
    found: list[list[Event]] = []
    place: Place | None = None
    while True:
        page = scan(Event.objects.all(), by="received", limit=limit, after=place, **options)
        found.append(page.rows)
        if page.end is None:
            return found
        place = page.end
        assert len(found) < 1000


def level(number: int) -> Callable[[QuerySet[Event]], QuerySet[Event]]:
    return lambda rows: rows.filter(level=number)


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    moments=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=25),
    limit=st.integers(1, 10),
    most=st.integers(1, 10),
    narrow=st.sampled_from([None, level(1), level(3)]),
)
def test_pages_together_are_the_table_in_its_order(
    monkeypatch: pytest.MonkeyPatch,
    moments: list[tuple[int, int]],
    limit: int,
    most: int,
    narrow: Any,
) -> None:
    monkeypatch.setattr(scanning, "MOST_SCANNED", most)
    Event.objects.all().delete()
    add_events(moments)
    rows = Event.objects.order_by("-received", "-pk")
    expected = list(narrow(rows) if narrow else rows)
    found = pages(limit, narrow=narrow)
    assert [row for page in found for row in page] == expected
    assert all(len(page) <= limit for page in found)


def test_what_comes_meanwhile_moves_nothing() -> None:
    add_events([(minute, 1) for minute in range(4)])
    first = scan(Event.objects.all(), by="received", limit=2)
    add_events([(7, 1), (8, 1)])
    second = scan(Event.objects.all(), by="received", limit=2, after=first.end)
    minutes = [(row.received - NOON).seconds // 60 for row in first.rows + second.rows]
    assert minutes == [3, 2, 1, 0]


def test_a_page_looks_at_so_many_rows_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MOST_SCANNED", 3)
    add_events([(0, 1), *((minute, 2) for minute in range(1, 7))])
    page = scan(Event.objects.all(), by="received", limit=2, narrow=level(1))
    assert page.rows == []
    assert page.end == Place(NOON + dt.timedelta(minutes=4))
    assert [len(page) for page in pages(2, narrow=level(1))] == [0, 0, 1]


@pytest.mark.parametrize(("narrow", "count"), [(None, 1), (level(1), 2)])
def test_a_page_is_a_query_or_two(narrow: Any, count: int) -> None:
    add_events([(0, 1)])
    with CaptureQueriesContext(connection) as queries:
        scan(Event.objects.all(), by="received", limit=2, narrow=narrow)
    assert len(queries) == count
