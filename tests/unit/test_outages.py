"""One line when something fails, one when it is back."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError

from notifier import outages
from notifier.outages import Outage


@pytest.fixture
def outage() -> Outage:
    return Outage("the database", "all waits")


def test_an_outage_is_told_once_and_so_is_its_end(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.end()
    for _ in range(3):
        outage.begin(OperationalError("connection refused\n\tIs the server running?"))
    outage.end()
    outage.begin(OperationalError("and again"))
    outage.end()
    assert caplog.messages == [
        "the database fails (OperationalError: connection refused); all waits",
        "the database works again, after 0 s",
    ]


def test_what_fails_again_later_is_told_again(
    outage: Outage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage.begin(OperationalError("one"))
    outage.end()
    monkeypatch.setattr(outages, "QUIET_S", 0)
    outage.begin(OperationalError("two"))
    outage.end()
    assert [text for text in caplog.messages if "fails" in text] == [
        "the database fails (OperationalError: one); all waits",
        "the database fails (OperationalError: two); all waits",
    ]


def test_an_error_that_quotes_data_is_named_only(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.begin(IntegrityError("Key (description)=(secret) is there"))
    assert caplog.messages == ["the database fails (IntegrityError); all waits"]
