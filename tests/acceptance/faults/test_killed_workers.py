"""Workers that are killed: at every point of an event's way, and at any moment."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from pytest_celery import CeleryTestWorker

from notifier.client import Notifier
from notifier.models import Delivery, DestinationConfig
from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.points import VARIABLE, Point, arm
from tests.acceptance.faults.rules import Rule
from tests.acceptance.stack import eventually
from tests.conftest import add_profile

SLICE = 20
"""Outcomes that a worker may hold unrecorded: the most that one kill may double."""
DOUBLING = {Point.BEFORE_THE_SEND, Point.IN_THE_MAIL, Point.AFTER_THE_SEND, Point.IN_THE_RECORD}
SLOWLY = {
    Point.IN_THE_RECORD,
    Point.AFTER_THE_RECORD,
    Point.BEFORE_THE_RELEASE,
    Point.AFTER_THE_RELEASE,
}
"""Where the mail server is so slow that the batch's time ends before all is sent."""
BY_QUEUE = {Point.IN_INGEST, Point.AFTER_INGEST}
MANY = int(os.environ.get("NOTIFIER_FAULT_SIZE", "1500"))
"""Notifications of the test with random kills; a kill for each 150, up to 30."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where points are armed."""
    path = tmp_path / "dying"
    path.mkdir()
    return path


@pytest.fixture
def mortal(case: FaultCase, directory: Path) -> FaultCase:
    """Two workers that die on demand, and a beat."""
    case.stack.env |= {
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.faults.dying_settings",
        VARIABLE: str(directory),
    }
    case.start()
    return case


def children(worker: CeleryTestWorker) -> list[psutil.Process]:
    """Return the processes in which a worker's tasks run."""
    return psutil.Process(worker.container.process.pid).children()


def die_at(case: FaultCase, directory: Path, victim: str, points: Sequence[Point]) -> None:
    """Kill at each point in turn, with an event for each; hold every end against the promise."""
    people = case.add_people(SLICE)
    case.post(1, people)
    case.ends()
    producer = Notifier(case.stack.redis.url, source="local")
    for point in points:
        with case.fault(f"SIGKILL of a worker's {victim} {point}"):
            armed = [arm(directory, point, victim, skipped=10 * (point is Point.AFTER_THE_SEND))]
            case.ledger.script(*([Rule("end", late_s=0.06)] if point in SLOWLY else []))
            if point is Point.IN_THE_SWEEP:
                armed.append(arm(directory, Point.AFTER_THE_CLAIM))
            if point in BY_QUEUE:
                producer.send(**case.expect(people))
            else:
                case.post(1, people)
            wait_for_death(case, armed)
        claimed = point is Point.AFTER_THE_CLAIM
        said = r"\d+ deliveries returned from workers that died" if claimed else ""
        case.ends(doubled=SLICE if point in DOUBLING else 0, said=said)


def wait_for_death(case: FaultCase, armed: Sequence[Path]) -> None:
    """Wait until somebody has died at each armed point."""

    def happened() -> bool:
        return case.alive() and not any(path.exists() for path in armed)

    eventually(happened, f"a death {' and '.join(path.name for path in armed)}")


def test_a_worker_whose_child_is_killed_at_any_point_loses_nothing(
    mortal: FaultCase, directory: Path
) -> None:
    die_at(mortal, directory, "child", [*Point])


def test_a_worker_that_is_killed_as_a_whole_loses_nothing(
    mortal: FaultCase, directory: Path
) -> None:
    points = [Point.IN_DISPATCH, Point.AFTER_THE_CLAIM, Point.AFTER_THE_SEND, Point.IN_THE_RECORD]
    die_at(mortal, directory, "main process", points)


def test_a_worker_killed_while_fanning_out_to_a_thousand_tells_each_of_them(
    mortal: FaultCase, directory: Path
) -> None:
    user = mortal.add_person("hub")
    many = [
        DestinationConfig(
            user=user, media_id="email", settings={"email_address": f"way{number}@example.org"}
        )
        for number in range(999)
    ]
    for destination in many:
        destination.clean()
    DestinationConfig.objects.bulk_create(many)
    add_profile(user, {"addressed": True}, *many)
    with mortal.fault("SIGKILL while fanning out to 1,000"):
        armed = arm(directory, Point.IN_DISPATCH)
        mortal.post(1, [user])
        mortal.expected |= {("event 1", each.settings["email_address"]) for each in many}
        wait_for_death(mortal, [armed])
        for number in (100, 500):
            mortal.wait_for_mails(number)
            children(mortal.stack.workers[1])[0].kill()
    mortal.ends(doubled=2 * SLICE)
    assert Delivery.objects.count() == 1000


def test_a_child_killed_as_when_memory_runs_out_costs_one_slice(case: FaultCase) -> None:
    case.start()
    people = case.add_people(20)
    case.post_incidents(5, people)
    case.post(5, people)
    case.wait_for_mails(50)
    with case.fault("SIGKILL of the child alone, as by the out-of-memory killer"):
        for child in children(case.stack.workers[1]):
            child.kill()
    case.ends(doubled=SLICE)
    assert all(worker.container.status == "running" for worker in case.stack.workers)


def victims(case: FaultCase, chance: random.Random) -> Iterator[psutil.Process]:
    """Choose whom to kill, for ever: mostly a child, now and then a whole worker."""
    while True:
        worker = chance.choice(case.stack.workers)
        main = psutil.Process(worker.container.process.pid)
        yield chance.choice([*main.children(), *main.children(), main])


def test_kills_at_random_lose_nothing(case: FaultCase) -> None:
    chance = random.Random(20261124)
    kills = min(30, MANY // 150)
    case.start()
    case.stack.worker("more-media", "media.email")
    people = case.add_people(50)
    chosen = victims(case, chance)
    with case.fault(f"{kills} SIGKILLs at random"):
        case.post_incidents(MANY // 300, people)
        case.post(MANY // 100, people)
        for number in range(kills):
            case.wait_for_mails(int((number + chance.random()) * MANY / (kills + 1)))
            next(chosen).kill()
    case.ends(doubled=kills * SLICE, timeout_s=180)


def test_a_worker_asked_to_stop_under_load_doubles_nothing_and_ends_soon(case: FaultCase) -> None:
    case.start()
    people = case.add_people(20)
    case.post_incidents(10, people)
    case.wait_for_mails(50)
    media = case.stack.workers[1].container.process
    with case.fault("SIGTERM under load"):
        media.signal(signal.SIGTERM)
        media.wait(timeout_s=10)
        assert not Delivery.objects.filter(state="sending").exists()
    case.ends()
