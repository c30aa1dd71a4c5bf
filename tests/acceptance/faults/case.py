"""A fault, what it did to whom, and the four lines that end every test."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection
from django.db import transaction as transactions

from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.intake.sources import source_named
from notifier.models import Delivery, Event
from servers.process import wait_until
from tests.acceptance.faults import table
from tests.acceptance.faults.ledger import Entry, Ledger
from tests.acceptance.stack import Processes

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FINAL = ("sent", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of everything that was posted."""

    lost: int
    """Neither told nor ended with a reason that the test expects."""
    doubled: int
    disordered: int
    """Left after a later one of the same incident, at the same destination."""
    unfinished: int


class FaultCase:
    """Processes, a ledger, and what was posted to whom."""

    def __init__(self, stack: Processes, ledger: Ledger, database: str = "") -> None:
        self.stack = stack
        self.ledger = ledger
        self.database = database or connection.vendor
        self.expected: set[tuple[str, str]] = set()
        """Descriptions of events, and the addresses that are to be told of them."""
        self._numbers = itertools.count(1)
        self._fault = ""
        self._in_flight = 0
        self._over = 0.0
        self._known: Counter[str] = Counter()
        self._logged: dict[str, int] = {}

    def start(self) -> None:
        """Start a worker for events, one for mail, and a beat; all are ready."""
        self.stack.worker("events", "events", "maintenance")
        self.stack.worker("media", "media.email")
        self.stack.beat()
        self.stack.setup()

    def add_people(self, count: int, prefix: str = "user") -> list[User]:
        """Add users with an address each, which has their name before the @."""
        with transactions.atomic():
            return [self.add_person(f"{prefix}{number}") for number in range(count)]

    def add_person(self, name: str) -> User:
        """Add a user with an address."""
        users = get_user_model().objects
        user: User = users.create_user(name, email=f"{name}@example.org")
        return user

    def expect(self, people: Sequence[User]) -> dict[str, Any]:
        """Return a new event's body, and remember whom it is for."""
        description = f"event {next(self._numbers)}"
        self.expected |= {(description, user.email) for user in people}
        return {"description": description, "recipients": [user.username for user in people]}

    def post(self, count: int, people: Sequence[User], **fields: Any) -> None:
        """Store events for some people, as `notify()` does; the sweep finds them."""
        events = [parse_event(self.expect(people) | fields) for _ in range(count)]
        accept(events, source_named(None))

    def post_incidents(self, count: int, people: Sequence[User]) -> None:
        """Store incidents that start, change and end."""
        for _ in range(count):
            key = f"incident {next(self._numbers)}"
            for kind in ("STA", "CHI", "END"):
                self.post(1, people, type=kind, incident_key=key)

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Name what happens in the block; recovery counts from its end."""
        self._fault = name
        before = len(self.missing())
        self._logged = {each.name: len(each.log()) for each in self.stack.processes}
        yield
        self._over = time.monotonic()
        self._in_flight = max(before, len(self.missing()))

    def ends(
        self,
        *,
        doubled: int = 0,
        untold: Collection[str] = (),
        said: str = "",
        timeout_s: float = 60.0,
    ) -> Verdict:
        """Wait for the end of everything, and hold the ledger against what was posted.

        `untold` are addresses that need not be told: their rows end with a reason. `said` matches
        the beginning of the line by which an operator learns of the cause, once from each process.
        """
        try:
            wait_until(self._is_quiet, timeout_s=timeout_s, what="the end of all", poll_s=0.1)
            recovered_s = time.monotonic() - self._over
            verdict = self._verdict(untold)
            if self._fault:
                row = (self._fault, self.database, self._in_flight, verdict.lost, verdict.doubled)
                table.add(table.Row(*row, recovered_s))
            assert verdict.lost == 0, verdict
            assert verdict.doubled <= doubled, verdict
            assert verdict.disordered == 0, verdict
            assert verdict.unfinished == 0, verdict
            if said:
                self._assert_said(said)
        except (TimeoutError, AssertionError) as error:
            raise AssertionError(
                f"{self._fault}: {error}\n{self._state()}\n{self.stack.logs()}"
            ) from error
        self._known = Counter(entry.key for entry in self.ledger.entries())
        return verdict

    def wait_for_mails(self, count: int) -> None:
        """Wait until the ledger has so many, reviving workers that end meanwhile."""
        wait_until(
            lambda: self.alive() and self.ledger.count() >= count,
            timeout_s=60,
            what=f"mail {count}",
        )

    def alive(self) -> bool:
        """Start the workers that have ended, as whatever supervises them would."""
        for worker in self.stack.workers:
            if worker.container.status == "exited":
                worker.container.process.restart()
        return True

    def missing(self, prefix: str = "") -> set[tuple[str, str]]:
        """Return what was posted and has not come, to addresses that begin so."""
        expected = {pair for pair in [*self.expected] if pair[1].startswith(prefix)}
        return expected - self._told()

    def unfinished(self) -> int:
        """Return how many rows are not final, events that wait for dispatch included."""
        return (
            Event.objects.filter(state=Event.State.ACCEPTED).count()
            + Delivery.objects.exclude(state__in=FINAL).count()
        )

    def _is_quiet(self) -> bool:
        self.alive()
        try:
            posted = {description for description, _ in [*self.expected]}
            return Event.objects.count() >= len(posted) and self.unfinished() == 0
        except (OperationalError, InterfaceError):
            connection.close()
            return False

    def _told(self) -> set[tuple[str, str]]:
        descriptions = {
            str(pk): text for pk, text in Event.objects.values_list("pk", "description")
        }
        return {
            (descriptions.get(entry.key.partition(".")[0], ""), entry.to)
            for entry in self.ledger.entries()
        }

    def _verdict(self, untold: Collection[str]) -> Verdict:
        entries = self.ledger.entries()
        came = Counter(entry.key for entry in entries)
        lost = self.missing()
        for row in Delivery.objects.select_related("event", "destination"):
            settings: dict[str, str] = row.destination.settings if row.destination else {}
            address = settings.get("email_address") or settings.get("address", "")
            pair = (row.event.description, address)
            if address in untold:
                lost.discard(pair)
            elif row.state == Delivery.State.SENT and row.message_key not in came:
                lost.add(pair)
        return Verdict(
            lost=len(lost),
            doubled=sum((came - self._known).values()) - len(came.keys() - self._known.keys()),
            disordered=_disordered(entries),
            unfinished=self.unfinished(),
        )

    def _assert_said(self, pattern: str) -> None:
        found = 0
        for process in self.stack.processes:
            lines = _warnings(process.log()[self._logged.get(process.name, 0) :])
            mine = [line["event"] for line in lines if re.match(pattern, line["event"])]
            assert len(mine) == len(set(mine)), f"{process.name} says it again and again: {mine}"
            found += len(mine)
        assert found, f"no process says {pattern!r}"

    def _state(self) -> str:
        rows = Delivery.objects.values_list("state", "reason", "solo", "crashes", "attempts")
        return "\n".join(f"{count} x {row}" for row, count in Counter(rows).items())


def _warnings(log: str) -> list[dict[str, Any]]:
    """Return what Notifier itself has logged from WARNING up: never a traceback."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    ours = [line for line in lines if line["logger"].startswith(("notifier.", "worker."))]
    assert not any("exception" in line for line in ours), f"a traceback: {ours}"
    return [line for line in ours if line["level"] in {"warning", "error", "critical"}]


def _disordered(entries: Sequence[Entry]) -> int:
    """Count what came first after a later one of its incident had come first there."""
    first = {entry.key: place for place, entry in reversed(list(enumerate(entries)))}
    threads: dict[tuple[int | None, int], list[int]] = defaultdict(list)
    rows = Delivery.objects.filter(incident__isnull=False).order_by("sequence")
    for row in rows.only("event_id", "pk", "destination_id", "incident_id"):
        if row.message_key in first and row.incident_id is not None:
            threads[row.destination_id, row.incident_id].append(first[row.message_key])
    return sum(
        earlier > later
        for places in threads.values()
        for earlier, later in itertools.pairwise(places)
    )
