"""The sums of rows stay right, however these are purged."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.delivering.replaying import replay
from notifier.models import DailyCount, Delivery, Event
from notifier.retention import purging
from notifier.retention.choosing import Keep
from notifier.retention.counting import Kind
from notifier.retention.purging import purge
from tests.integration.conftest import AddOld, ago, sums

KEEP = Keep(days=90, failed_days=365)


def purge_all() -> Counter[str]:
    return sum(purge(KEEP), Counter())


class BreakOffError(Exception):
    """What interrupts a purge."""


def test_a_purge_that_breaks_off_leaves_everything_as_it_was(
    add_old: AddOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_old(100)
    before = sums()

    def fail(_counts: object) -> None:
        raise BreakOffError

    monkeypatch.setattr(purging, "keep_counts", fail)
    with pytest.raises(BreakOffError):
        purge_all()
    assert (sums(), Event.objects.count(), DailyCount.objects.count()) == (before, 1, 0)


def test_what_is_purged_is_counted_by_its_kind(add_old: AddOld) -> None:
    for days in (100, 100, 1):
        add_old(days)
    add_old(100, "cancelled")
    purge_all()
    day = ago(100).astimezone(dt.UTC).date()
    counted = DailyCount.objects.values_list(*Kind._fields, "count")
    assert {Kind(*kind): count for *kind, count in counted} == {
        Kind(day, "event", "shop", "", "dispatched", ""): 3,
        Kind(day, "delivery", "shop", "counting", "sent", ""): 2,
        Kind(day, "delivery", "shop", "counting", "cancelled", "gone"): 1,
        Kind(day, "attempt", "shop", "counting", "sent", ""): 2,
        Kind(day, "attempt", "shop", "counting", "permanent", "gone"): 1,
    }


ages = st.sampled_from([1.0, 50.0, 100.0, 400.0])
states = st.sampled_from(["sent", "failed", "cancelled", "pending"])
steps = st.one_of(
    st.tuples(st.just("add"), ages, states),
    st.tuples(st.just("purge"), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.just("break"), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.just("replay"), st.none(), st.none()),
    st.tuples(st.just("age"), ages, st.none()),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(steps, min_size=3, max_size=15))
def test_no_order_of_steps_changes_a_sum(
    add_old: AddOld, monkeypatch: pytest.MonkeyPatch, history: list[tuple[str, Any, Any]]
) -> None:
    with transaction.atomic():
        for number in range(3):
            add_old(100 * number)
        expected = sums()
        for name, first, second in history:
            if name == "add":
                add_old(first, second)
                expected.update(("event", "delivery", "attempt"))
            elif name == "age":
                shift = dt.timedelta(days=first)
                for row in Delivery.objects.exclude(finished_at=None):
                    assert row.finished_at
                    row.finished_at -= shift
                    row.save(update_fields=["finished_at"])
            elif name == "replay":
                sum(replay(Delivery.objects.all()))
            else:
                run_steps(monkeypatch, first, second, broken=name == "break")
            assert sums() == expected
        transaction.set_rollback(True)


def run_steps(monkeypatch: pytest.MonkeyPatch, count: int, batch: int, *, broken: bool) -> None:
    """Purge a few steps of small transactions; the last one is broken off inside, or not."""
    with monkeypatch.context() as patched:
        patched.setattr(purging, "MAX_DELIVERIES", batch)
        running = purge(KEEP, batch)
        for _ in range(count):
            next(running, None)
        if broken:

            def fail(_counts: object) -> None:
                raise BreakOffError

            patched.setattr(purging, "keep_counts", fail)
            with contextlib.suppress(BreakOffError):
                next(running, None)


@pytest.mark.django_db(transaction=True)
def test_two_purges_at_once_beside_replays_count_every_row_once(add_old: AddOld) -> None:
    for number in range(60):
        add_old(400, ["sent", "failed", "cancelled"][number % 3])
    before = sums()
    deleted: Counter[str] = Counter()

    def run(work: Callable[[], None]) -> threading.Thread:
        def then_close() -> None:
            try:
                work()
            finally:
                connection.close()

        thread = threading.Thread(target=then_close)
        thread.start()
        return thread

    def purging_all() -> None:
        for step in purge(KEEP, 3):
            deleted.update(step)

    def replaying() -> None:
        sum(replay(Delivery.objects.filter(pk__gt=ids[len(ids) // 2]), rate=1))

    ids = sorted(Delivery.objects.values_list("pk", flat=True))
    for thread in [run(purging_all), run(replaying), run(purging_all)]:
        thread.join()
    assert sums() == before
    assert deleted["event"] == 60 - Event.objects.count()
    assert not Event.objects.filter(deliveries=None).exists()
    assert purge_all()["event"] == Event.objects.count() - Delivery.objects.count() == 0
