"""Clocks that jump: what is due, and whose it is, the database's clock decides."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import psutil
import pytest
from django.utils import timezone

from notifier.models import Attempt, Delivery
from tests.acceptance.faults import moved_clock
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.rules import Rule

HOUR_S = 3600


@pytest.mark.parametrize("direction", [1, -1], ids=["forward", "back"])
@pytest.mark.parametrize("whose", ["the machine's", "the workers'"])
def test_a_jump_of_an_hour_changes_nothing(
    case: FaultCase, tmp_path: Path, whose: str, direction: int
) -> None:
    clock = tmp_path / "clock"
    jumping = {"DJANGO_SETTINGS_MODULE": "tests.acceptance.faults.moved_clock_settings"}
    case.stack.env |= {
        "MEDIA_PLUGINS": "tests.acceptance.faults.media.HastyEmail",
        moved_clock.VARIABLE: str(clock),
    }
    case.stack.worker("events", "events", "maintenance", env=jumping)
    case.stack.worker("media", "media.email", env=jumping)
    case.stack.beat(env=jumping if whose == "the machine's" else None)
    case.stack.setup()
    people = case.add_people(10)
    busy = case.add_person("busy")
    case.post(1, people)
    case.ends()
    case.ledger.script(
        Rule("end", late_s=0.05), Rule("rcpt", "451 4.3.0 later", to=busy.username, times=2)
    )
    case.post_incidents(2, [*people, busy])
    case.wait_for_mails(15)
    with case.fault(f"{whose} clock jumps an hour {'forward' if direction > 0 else 'back'}"):
        clock.write_text(str(direction * HOUR_S))
        case.post_incidents(2, [*people, busy])
    case.ends(timeout_s=20)
    assert not Delivery.objects.exclude(state="sent").exists()
    far = timezone.now() + direction * dt.timedelta(minutes=30)
    moved = {"started_at__gt": far} if direction > 0 else {"started_at__lt": far}
    assert Attempt.objects.filter(**moved).exists()  # the clock did jump

    with case.fault(f"a worker is killed while {whose} clock is an hour off"):
        case.post(3, people)
        case.wait_for_mails(case.ledger.count() + 5)
        for child in psutil.Process(case.stack.workers[1].container.process.pid).children():
            child.kill()
    case.ends(doubled=20, timeout_s=20)
