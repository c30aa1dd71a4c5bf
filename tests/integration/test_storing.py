"""Storing: what one statement inserts is what was given."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.ids import new_event_id
from notifier.intake import storing
from notifier.models import Event, Incident, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
moments = st.datetimes(
    dt.datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants it so
    dt.datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=45))]),
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
columns = st.fixed_dictionaries(
    {
        "source_event_id": texts,
        "level": st.integers(1, 5),
        "description": texts,
        "tags": st.lists(texts, max_size=3),
        "timestamp": moments,
        "received": moments,
        "details_url": texts,
        "metadata": st.dictionaries(texts, plain, max_size=3),
        "actor": texts,
        "recipients": st.none() | st.lists(texts, max_size=3),
        "expires": st.none() | moments,
        "traceparent": texts,
    }
)


def row(source: Source, **fields: Any) -> Event:
    given = {"description": "Disk full", "timestamp": dt.datetime.now(dt.UTC), "level": 3, **fields}
    given.setdefault("received", given["timestamp"])
    return Event(id=new_event_id(), source=source, body_sha256="0" * 64, type="LES", **given)


def stored(events: Sequence[Event]) -> list[dict[str, Any]]:
    found = Event.objects.in_bulk([event.pk for event in events])
    names = [field.attname for field in Event._meta.concrete_fields if not field.primary_key]
    return [{name: getattr(found[event.pk], name) for name in names} for event in events]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lists=st.lists(columns, min_size=1, max_size=4))
def test_it_stores_what_bulk_create_stores(source: Source, lists: list[dict[str, Any]]) -> None:
    ours, djangos = ([row(source, **fields) for fields in lists] for _ in range(2))
    with transaction.atomic():
        assert storing.insert(ours) == {event.pk for event in ours}
        Event.objects.bulk_create(djangos)
        assert stored(ours) == stored(djangos)
        transaction.set_rollback(True)


def test_an_event_of_an_incident_keeps_its_place(source: Source) -> None:
    incident = Incident.objects.create(
        source=source, incident_key="db1", level=3, start_time=dt.datetime.now(dt.UTC)
    )
    event = row(source, incident=incident, sequence=1, open=True, acked=False)
    event.type = "STA"
    storing.insert([event])
    [found] = stored([event])
    assert (found["incident_id"], found["sequence"]) == (incident.pk, 1)
    assert (found["open"], found["acked"], found["state"]) == (True, False, "accepted")


def test_more_than_a_statement_takes_are_inserted_in_several(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_AT_ONCE", 3)
    events = [row(source) for _ in range(7)]
    assert storing.insert(events) == {event.pk for event in events}
    assert Event.objects.count() == 7


def test_what_breaks_a_rule_of_the_database_is_refused(source: Source) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        storing.insert([row(source), row(source, level=6)])
    assert not Event.objects.exists()


def test_what_was_there_before_is_told_apart(source: Source) -> None:
    old, new = row(source, description="old"), row(source)
    storing.insert([old])
    old.description = "new"
    if connection.vendor == "postgresql":  # SQLite has no second writer
        assert storing.insert([old, new]) == {new.pk}
    assert Event.objects.get(pk=old.pk).description == "old"
