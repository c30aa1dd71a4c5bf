"""The last four lines of every fault's test see what they are there to see."""

from __future__ import annotations

import smtplib

import pytest

from notifier.delivering.dispatching import dispatch
from notifier.models import Delivery
from tests.acceptance.faults.case import FaultCase


@pytest.fixture
def rows(case: FaultCase) -> list[Delivery]:
    """The deliveries of an incident's start, change and end to two people: marked as sent, but not."""
    case.post_incidents(1, case.add_people(2))
    while dispatch()["events"]:
        pass
    Delivery.objects.update(state="sent", finished_at="2026-11-24T12:00:00Z")
    return list(Delivery.objects.select_related("user").order_by("sequence"))


def send(case: FaultCase, *rows: Delivery) -> None:
    """Mail rows, in this order."""
    with smtplib.SMTP("127.0.0.1", case.ledger.smtp_port) as smtp:
        for row in rows:
            text = f"Message-ID: <{row.message_key}@localhost>\n\nhello"
            smtp.sendmail("notifier@localhost", [row.user.email], text)


def test_what_was_told_once_and_in_order_passes(case: FaultCase, rows: list[Delivery]) -> None:
    send(case, *rows)
    case.ends()


def test_a_mail_that_never_came_is_seen(case: FaultCase, rows: list[Delivery]) -> None:
    send(case, *rows[1:])
    with pytest.raises(AssertionError, match="lost=1, doubled=0, disordered=0, unfinished=0"):
        case.ends()


def test_a_mail_that_came_twice_is_seen(case: FaultCase, rows: list[Delivery]) -> None:
    send(case, *rows, rows[0])
    with pytest.raises(AssertionError, match="lost=0, doubled=1, disordered=0, unfinished=0"):
        case.ends()


def test_a_mail_that_overtook_another_of_its_incident_is_seen(
    case: FaultCase, rows: list[Delivery]
) -> None:
    send(case, *reversed(rows))
    with pytest.raises(AssertionError, match="lost=0, doubled=0, disordered=4, unfinished=0"):
        case.ends()


def test_a_row_that_is_left_behind_is_seen(case: FaultCase, rows: list[Delivery]) -> None:
    send(case, *rows)
    Delivery.objects.filter(pk=rows[0].pk).update(state="pending", finished_at=None)
    with pytest.raises(AssertionError, match="did not happen"):
        case.ends(timeout_s=0.5)
