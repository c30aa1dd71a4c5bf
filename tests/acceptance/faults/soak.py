"""Faults at random, for as long as you like: `make soak`, an hour. Not among the tests that always run.

One system, events all the while, and a fault every few seconds: processes killed or stopped, Redis
stopped, emptied or hung, the mail server refusing, slow or breaking off, the database's connections
cut. In the end nothing may be lost, out of order or unfinished, and no more doubled than each fault allows.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import psutil

from tests.acceptance.faults.case import FaultCase
from tests.acceptance.faults.rules import RESET, Rule
from tests.acceptance.test_faults import database_fault

MINUTES = float(os.environ.get("NOTIFIER_SOAK_MINUTES", "60"))
SEED = int(os.environ.get("NOTIFIER_SOAK_SEED", "1"))
SLICE = 20
"""The most that one death, or one broken connection, may double."""


class Soak:
    """Breaks a running system, one fault at a time, and mends it."""

    def __init__(self, case: FaultCase, chance: random.Random) -> None:
        self.case = case
        self.chance = chance
        self.doubled = 0

    @property
    def faults(self) -> list[Callable[[], None]]:
        """Return everything that it can break."""
        return [
            self.kill_a_worker,
            self.kill_a_child,
            self.stop_a_worker,
            self.restart_redis,
            self.empty_redis,
            self.hang_redis,
            self.refuse_mail,
            self.slow_mail,
            self.break_off_mail,
            self.cut_the_database,
        ]

    def kill_a_worker(self) -> None:
        """SIGKILL, with all its processes."""
        self.chance.choice(self.case.stack.workers).kill()
        self.doubled += SLICE

    def kill_a_child(self) -> None:
        """SIGKILL of the processes in which tasks run, as the kernel does when memory ends."""
        worker = self.chance.choice(self.case.stack.workers)
        if worker.container.status == "running":
            for child in psutil.Process(worker.container.process.pid).children():
                child.kill()
        self.doubled += SLICE

    def stop_a_worker(self) -> None:
        """SIGTERM: doubles nothing."""
        worker = self.chance.choice(self.case.stack.workers)
        if worker.container.status == "running":
            worker.kill("SIGTERM")

    def restart_redis(self) -> None:
        """Stop Redis in an orderly way for two seconds."""
        self.case.stack.redis.stop()
        time.sleep(2)
        self.case.stack.redis.restart()

    def empty_redis(self) -> None:
        """Kill Redis; it comes back empty."""
        self.case.stack.redis.kill()
        self.case.stack.redis.restart()

    def hang_redis(self) -> None:
        """Let Redis hang for six seconds."""
        self.case.stack.redis.process.signal(signal.SIGSTOP)
        time.sleep(6)
        self.case.stack.redis.process.signal(signal.SIGCONT)

    def refuse_mail(self) -> None:
        """Refuse every connection for four seconds."""
        self.case.ledger.refuse()
        time.sleep(4)
        self.case.ledger.listen()

    def slow_mail(self) -> None:
        """Take half a second for each mail, for four seconds."""
        self._for_a_while(Rule("end", late_s=0.5))

    def break_off_mail(self) -> None:
        """Take mails and break off before the answer: each such mail is sent once more."""
        self._for_a_while(Rule("end", RESET, times=5, taken=True))
        self.doubled += 5

    def cut_the_database(self) -> None:
        """Terminate all connections, or hold SQLite's write lock for a second."""
        with database_fault():
            pass

    def _for_a_while(self, *rules: Rule) -> None:
        self.case.ledger.script(*rules)
        time.sleep(4)
        self.case.ledger.script()


def test_faults_at_random_lose_nothing(case: FaultCase) -> None:
    chance = random.Random(SEED)
    soak = Soak(case, chance)
    people = case.add_people(20)
    case.start()
    case.stack.worker("media2", "media.email")
    case.stack.beat()
    case.stack.setup()
    ends = time.monotonic() + MINUTES * 60
    with case.fault(f"{MINUTES:g} minutes of faults at random, seed {SEED}"):
        while time.monotonic() < ends:
            case.post(chance.randint(1, 5), chance.sample(people, chance.randint(1, 20)))
            case.post_incidents(1, chance.sample(people, 3))
            chance.choice(soak.faults)()
            time.sleep(chance.uniform(0.5, 3))
            case.alive()
    case.ends(doubled=soak.doubled, timeout_s=300)
