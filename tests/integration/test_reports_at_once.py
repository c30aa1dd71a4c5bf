"""Reports of the same things, by several senders at once."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifier.intake import reports
from notifier.intake.reports import Report, Settled
from notifier.models import Event, Incident, Source
from tests.integration.test_accepting import at_once
from tests.unit.test_reports import firing, resolved

SENDERS = 6


def of(key: str, report: Report) -> Report:
    name = f"{key} {report.event.source_event_id}"
    event = report.event.model_copy(update={"incident_key": key, "source_event_id": name})
    return Report(event, recurs=True)


@pytest.mark.parametrize("order", ["the same", "any"])
def test_of_what_all_say_one_is_heard(transactional_db: None, order: str) -> None:
    source = Source.objects.create(name="shop")

    def say(index: int) -> list[Settled]:
        said = [of(f"key{number}", firing()) for number in range(20)]
        if order == "any":
            random.Random(index).shuffle(said)
        return reports.take(said, source)

    results = at_once(SENDERS, say)
    assert not [each for each in results if isinstance(each, Exception)]
    assert Event.objects.count() == Incident.objects.count() == 20
    told = [each for found in results for each in found if each.id]  # type: ignore[attr-defined] # a list
    assert len(told) == 20


def test_ends_of_what_nobody_knows_are_in_nobodys_way(transactional_db: None) -> None:
    source = Source.objects.create(name="shop")

    def say(index: int) -> list[Settled]:
        return reports.take([of("key", firing() if index % 2 else resolved())], source)

    results = at_once(SENDERS, say)
    assert not [each for each in results if isinstance(each, Exception)]
    assert [*Event.objects.order_by("sequence").values_list("type", flat=True)] in (
        ["STA"],
        ["STA", "END"],
    )
    assert Incident.objects.count() == 1


def test_many_reports_cost_as_many_queries_as_two(transactional_db: None) -> None:
    source = Source.objects.create(name="shop")

    def queries_of(*numbers: int) -> int:
        said = [of(f"key{number}", firing()) for number in numbers]
        with CaptureQueriesContext(connection) as queries:
            reports.take(said, source)
        return len(queries)

    assert queries_of(*range(100, 130)) == queries_of(1, 2)
    assert queries_of(*range(100, 130)) <= 10  # nothing new
