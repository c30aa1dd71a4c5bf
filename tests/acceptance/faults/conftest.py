"""A case: processes, a ledger, and what was posted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.redis import RedisServer
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.ledger import Ledger
from tests.acceptance.stack import Processes

SHORTER = {
    "NOTIFIER_BATCH_BUDGET_S": "0.7",
    "NOTIFIER_SEND_TIMEOUT_S": "0.8",
    "NOTIFIER_HARD_TIME_LIMIT_S": "2.6",
    "NOTIFIER_LEASE_S": "3.4",
    "NOTIFIER_BREAKER_PAUSE_S": "0.5",
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A mail server that keeps what it takes."""
    with Ledger(tmp_path) as ledger:
        yield ledger


@pytest.fixture
def case(tmp_path: Path, database_url: str, ledger: Ledger) -> Iterator[FaultCase]:
    """An empty Redis and ledger; the test starts the processes that it needs."""
    with RedisServer(tmp_path) as redis:
        stack = Processes(tmp_path, database_url, redis, ledger.smtp_port)
        stack.env |= SHORTER
        try:
            yield FaultCase(stack, ledger)
        finally:
            stack.stop()
