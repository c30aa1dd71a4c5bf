"""Claims: who may work on what."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from notifier.delivering.claiming import claim_deliveries, release
from notifier.models import Delivery, Incident
from tests.integration.conftest import AddDelivery

LATER = dt.timedelta(hours=1)


def claimed(limit: int = 50) -> list[int]:
    """Claim, and return which rows."""
    claim = claim_deliveries("counting", limit)
    if claim is None:
        return []
    return list(
        Delivery.objects.filter(claim_token=claim.token).order_by("pk").values_list("pk", flat=True)
    )


def test_a_claim_takes_due_rows_of_its_medium_only(add_delivery: AddDelivery) -> None:
    due = add_delivery()
    add_delivery(due_at=timezone.now() + LATER)
    add_delivery(medium="forgetful")
    add_delivery(expires_at=timezone.now() - LATER)
    add_delivery(state="sent", finished_at=timezone.now())
    assert claimed() == [due.pk]
    assert claimed() == []


def test_urgent_rows_are_claimed_first(add_delivery: AddDelivery) -> None:
    for level in (5, 3, 4):
        add_delivery(level=level)
    urgent = add_delivery(level=1)
    assert claimed(1) == [urgent.pk]


def test_a_claim_says_whether_more_may_be_due(add_delivery: AddDelivery) -> None:
    for _ in range(3):
        add_delivery()
    first, rest = claim_deliveries("counting", 2), claim_deliveries("counting", 2)
    assert first is not None
    assert rest is not None
    assert (first.size, first.full) == (2, True)
    assert (rest.size, rest.full) == (1, False)


def test_a_claimed_row_holds_its_token_and_a_lease_from_now(add_delivery: AddDelivery) -> None:
    row = add_delivery()
    claim = claim_deliveries("counting", 1)
    row.refresh_from_db()
    assert claim is not None
    assert row.claim_token == claim.token
    assert row.lease_until is not None
    left = row.lease_until - timezone.now()
    assert dt.timedelta(seconds=290) < left <= dt.timedelta(seconds=300)


def test_released_rows_are_as_they_were(add_delivery: AddDelivery) -> None:
    row = add_delivery(attempts=2)
    claim = claim_deliveries("counting", 1)
    assert claim is not None
    assert release(claim.token) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.claim_token, row.lease_until) == ("pending", 2, None, None)


def test_a_row_whose_worker_died_is_claimed_alone(add_delivery: AddDelivery) -> None:
    suspect = add_delivery(solo=True)
    others = [add_delivery().pk for _ in range(3)]
    assert claimed() == [suspect.pk]
    assert claimed() == others


def test_a_suspect_goes_alone_and_before_others_of_its_urgency(add_delivery: AddDelivery) -> None:
    first = add_delivery()
    suspect = add_delivery(solo=True)
    last = add_delivery()
    urgent = add_delivery(level=1)
    assert claimed() == [first.pk, last.pk, urgent.pk]
    assert claimed() == [suspect.pk]


def test_a_suspect_never_waits_behind_the_others_of_its_urgency(add_delivery: AddDelivery) -> None:
    add_delivery()
    suspect = add_delivery(solo=True)
    add_delivery()
    assert claimed() == [suspect.pk]


def test_per_destination_and_incident_rows_leave_in_order(
    add_delivery: AddDelivery, incident: Incident
) -> None:
    first = add_delivery("ok-x", incident=incident)
    second = add_delivery("ok-x", incident=incident)
    elsewhere = add_delivery("ok-y", incident=incident)
    assert claimed() == [first.pk, elsewhere.pk]
    assert claimed() == []  # the first is being sent
    finish(first)
    assert claimed() == [second.pk]


def test_a_failed_predecessor_holds_nobody(add_delivery: AddDelivery, incident: Incident) -> None:
    add_delivery(
        "ok-x", incident=incident, state="failed", reason="gone", finished_at=timezone.now()
    )
    second = add_delivery("ok-x", incident=incident)
    assert claimed() == [second.pk]


def finish(row: Delivery) -> None:
    """End a row as sent."""
    Delivery.objects.filter(pk=row.pk).update(
        state="sent", finished_at=timezone.now(), claim_token=None, lease_until=None
    )


@pytest.mark.django_db(transaction=True)
def test_no_row_is_ever_claimed_twice(add_delivery: AddDelivery) -> None:
    for _ in range(60):
        add_delivery()
    found: list[int] = []

    def claim_all() -> None:
        try:
            while rows := claimed(7):
                found.extend(rows)
        finally:
            connection.close()

    run_at_once(claim_all, 4)
    assert sorted(found) == sorted(Delivery.objects.values_list("pk", flat=True))


def run_at_once(work: Callable[[], None], threads: int) -> None:
    """Run the same work in several threads."""
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
