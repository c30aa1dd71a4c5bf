"""Plugins that raise, hang, exit, leak and meddle: what becomes of them and of their neighbours."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from notifier.models import Delivery, DestinationConfig
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.plugins import CALLS, FAULTS, LEDGER_PORT
from tests.acceptance.stack import eventually
from tests.conftest import add_profile

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

PLUGINS = ["notifier.media.email.EmailNotification", "tests.acceptance.faults.plugins.Nasty"]
HARD_LIMIT_S = 2.6
NOTICED_S = 5.5
"""Within so long Celery sees that a process has ended, and makes another."""
MOST_CALLS = 4
"""Once in a batch, then three times alone."""
SLACK_S = 4
"""For a loaded machine: a process to be forked, a sweep, a poll."""


@pytest.fixture
def calls(case: FaultCase, tmp_path: Path, settings: Settings) -> Path:
    """Workers of their own for events, mail and the misbehaving medium; the file of its calls."""
    path = tmp_path / "calls"
    settings.MEDIA_PLUGINS = PLUGINS
    case.stack.env |= {
        "MEDIA_PLUGINS": ",".join(PLUGINS),
        CALLS: str(path),
        LEDGER_PORT: str(case.ledger.smtp_port),
    }
    case.stack.worker("nasty", "media.nasty")
    case.start()
    return path


def children(case: FaultCase) -> list[psutil.Process]:
    """Return the processes that the misbehaving medium's tasks run in: one, but while it is replaced."""
    return psutil.Process(case.stack.workers[0].container.process.pid).children()


def stops_soon(case: FaultCase) -> None:
    """Ask the misbehaving medium's worker to end, and see that it does."""
    process = case.stack.workers[0].container.process
    process.signal(signal.SIGTERM)
    process.wait(timeout_s=10)


def post_to(case: FaultCase, addresses: Iterable[str]) -> None:
    """Post one event to many addresses of the misbehaving medium, all one user's, in their order."""
    user = case.add_person("hub")
    user.destinations.all().delete()
    many = [
        DestinationConfig.objects.create(user=user, media_id="nasty", settings={"address": address})
        for address in addresses
    ]
    add_profile(user, {"addressed": True}, *many)
    case.post(1, [user])
    case.expected = {("event 1", address) for address in addresses}


def test_others_of_a_batch_are_recorded_while_one_hangs_for_ever(
    case: FaultCase, calls: Path
) -> None:
    good = [f"good{number}@example.org" for number in range(30)]
    eventually(lambda: children(case), "the first child")
    [child] = children(case)
    with case.fault("a plugin hangs for ever"):
        post_to(case, [*good[:15], "hang", *good[15:]])
    eventually(
        lambda: Delivery.objects.filter(state="sent").count() == len(good),
        "the record of all others",
        HARD_LIMIT_S + NOTICED_S + SLACK_S,
    )
    assert not Delivery.objects.filter(state="failed").exists()
    case.ends(untold=["hang"])
    row = Delivery.objects.get(state="failed")
    assert row.reason == "crashed"
    assert Counter(calls.read_text().split())["hang"] <= MOST_CALLS
    assert child not in children(case)  # what hangs in it would stay for ever
    stops_soon(case)


def test_a_plugin_ends_by_itself_whatever_it_does_and_harms_no_other_medium(
    case: FaultCase, calls: Path
) -> None:
    good = [f"good{number}@example.org" for number in range(10)]
    people = case.add_people(5)
    with case.fault(f"plugins misbehave in {len(FAULTS)} ways at once"):
        post_to(case, [*good[:5], *FAULTS, *good[5:]])
        for _ in range(10):
            case.post(1, people)
            eventually(lambda: not case.missing("user"), "mail to everybody", SLACK_S)
    case.ends(untold=FAULTS, doubled=len(good), timeout_s=120)
    tried = Counter(calls.read_text().split())
    assert all(tried[fault] <= MOST_CALLS for fault in FAULTS)
    assert {row.reason for row in Delivery.objects.filter(state="failed")} == {"bug", "crashed"}
    stops_soon(case)
