"""Measure matching alone, from ten to 100,000 profiles: `python -m bench.matching`.

Of the profiles 60 % ask for one exact tag, 20 % for a source and a level, 10 % for two tags, 5 %
for a regular expression and 5 % for a level or a type alone; half of them have office hours, in
twenty time zones. About ten match an event. Those of a level or type alone say no to all of these
events: else there would be hundreds of matches.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from notifier.conditions import Facts
    from notifier.matching.current import Matcher

SIZES = (10, 100, 1000, 10_000, 100_000)
EVENTS = 2000
ROUNDS = 5
PER_USER = 4
ZONES = (  # noqa: SIM905 - as a list, twenty lines
    "Africa/Cairo Africa/Lagos America/Bogota America/Chicago America/Denver America/New_York "
    "America/Sao_Paulo Asia/Dubai Asia/Kolkata Asia/Seoul Asia/Tokyo Australia/Sydney Europe/Berlin "
    "Europe/Istanbul Europe/London Europe/Madrid Europe/Oslo Pacific/Auckland UTC US/Pacific"
).split()
OFFICE = ((dt.time(8), dt.time(18)), (dt.time(7), dt.time(19)), (dt.time(22), dt.time(6)))
NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


class Mix:
    """The conditions of so many profiles, and events that about ten of them want."""

    def __init__(self, profiles: int) -> None:
        self.hosts = max(profiles * 60 // 100 // 7, 1)
        self.sources = max(profiles * 20 // 100 // 6, 1)
        self.services = max(profiles * 10 // 100 // 2, 1)
        self.sites = max(profiles * 5 // 100, 1)

    def conditions(self, number: int) -> dict[str, Any]:
        """Return the conditions of a profile."""
        kind, number = number % 20, number // 20
        if kind < 12:
            return {"tags": [f"host={self._host((number * 12 + kind) % self.hosts)}"]}
        if kind < 16:
            source = (number * 4 + kind) % self.sources
            return {"sources": [f"source{source}"], "max_level": 3 + number % 3}
        if kind < 18:
            service = (number * 2 + kind) % self.services
            return {"tags": [f"service=service{service}", "environment=production"]}
        if kind < 19:
            return {"tags": [f"host=~site{number % self.sites}-(db|web)-[0-9]+"]}
        return {"max_level": 1} if number % 2 else {"event_types": ["REO"]}

    def events(self) -> Iterator[tuple[Facts, dt.datetime]]:
        """Yield events, the same in each run."""
        from notifier.conditions import Facts, tag_values  # noqa: PLC0415 - needs Django

        chance = random.Random(1)
        for _ in range(EVENTS):
            tags = [
                f"host={self._host(chance.randrange(self.hosts))}",
                f"service=service{chance.randrange(self.services)}",
                "environment=production",
                f"request={chance.randrange(1 << 40):x}",
            ]
            facts = Facts(
                source_id=0,
                source=f"source{chance.randrange(self.sources)}",
                source_type="app",
                type="LES",
                level=chance.randint(2, 5),
                tags=tag_values(tags),
                open=None,
                acked=None,
                stateful=False,
                recipients=None,
            )
            yield facts, NOON + dt.timedelta(minutes=chance.randrange(7 * 24 * 60))

    def _host(self, number: int) -> str:
        return f"site{number % self.sites}-{('db', 'web')[number % 2]}-{number}"


def measure(profiles: int) -> dict[str, float]:
    """Fill this process's database, which must have no profiles, and match; return figures.

    `p50_us` and `p99_us` an event, the best of several rounds of each event, `matches` an event,
    `load_s` and `load_cpu_s`, and `bytes` a profile: what Python allocated, `rss_bytes` with all else.
    """
    from notifier.matching.current import Matcher  # noqa: PLC0415 - needs Django

    mix = Mix(profiles)
    fill(profiles, mix)
    resident, started, cpu = _resident(), time.perf_counter(), time.process_time()
    matcher = Matcher()
    matcher.refresh()
    load_s, load_cpu_s = time.perf_counter() - started, time.process_time() - cpu
    events = list(mix.events())
    matches = [len(matcher.match(*event)) for event in events]
    resident = _resident() - resident
    times = _times(matcher, events)
    del matcher
    return {
        "p50_us": statistics.median(times),
        "p99_us": statistics.quantiles(times, n=100)[98],
        "matches": statistics.fmean(matches),
        "load_s": load_s,
        "load_cpu_s": load_cpu_s,
        "rss_bytes": resident / profiles,
        "bytes": _allocated() / profiles,
    }


def _times(matcher: Matcher, events: list[tuple[Facts, dt.datetime]]) -> list[float]:
    """Return each event's best time in microseconds: this machine has other work to do."""
    best = [float("inf")] * len(events)
    for _ in range(ROUNDS):
        for number, event in enumerate(events):
            started = time.perf_counter_ns()
            matcher.match(*event)
            best[number] = min(best[number], (time.perf_counter_ns() - started) / 1000)
    return best


def _allocated() -> int:
    from notifier.matching.index import Index  # noqa: PLC0415 - needs Django
    from notifier.matching.loading import load  # noqa: PLC0415

    gc.collect()
    tracemalloc.start()
    index = Index()
    load(index)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def fill(profiles: int, mix: Mix) -> None:
    """Make users with their timeslots, destinations, filters and profiles."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - needs Django

    from notifier import models  # noqa: PLC0415
    from notifier.fingerprint import fingerprint  # noqa: PLC0415

    people = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"user{number}") for number in range(-(-profiles // PER_USER))]
    )
    _make(
        models.Preferences(user=user, time_zone=ZONES[number % len(ZONES)])
        for number, user in enumerate(people)
    )
    slots = _make(
        models.Timeslot(user=user, name=name) for user in people for name in ("always", "office")
    )
    _make(
        models.TimeRecurrence(timeslot=slot)
        if slot.name == "always"
        else models.TimeRecurrence(
            timeslot=slot, days=31, start=OFFICE[slot.pk % 3][0], end=OFFICE[slot.pk % 3][1]
        )
        for slot in slots
    )
    destinations = _make(
        models.DestinationConfig(
            user=user,
            media_id="email",
            settings={"email_address": f"{user.username}@example.org"},
            fingerprint=fingerprint("email", f"{user.username}@example.org"),
        )
        for user in people
    )
    order = list(range(profiles))
    random.Random(2).shuffle(order)
    filters = _make(
        models.Filter(
            user=people[number // PER_USER], name=f"{number}", conditions=mix.conditions(which)
        )
        for number, which in enumerate(order)
    )
    rules = _make(
        models.NotificationProfile(
            user=people[number // PER_USER],
            name=f"{number}",
            timeslot=slots[number // PER_USER * 2 + number % 2],
        )
        for number in range(profiles)
    )
    profile = models.NotificationProfile
    _make(
        profile.filters.through(notificationprofile_id=rule.pk, filter_id=each.pk)
        for rule, each in zip(rules, filters, strict=True)
    )
    _make(
        profile.destinations.through(
            notificationprofile_id=rule.pk,
            destinationconfig_id=destinations[number // PER_USER].pk,
        )
        for number, rule in enumerate(rules)
    )


def _make(rows: Iterable[Any]) -> list[Any]:
    made = list(rows)
    return list(type(made[0]).objects.bulk_create(made, batch_size=2000))


def main() -> int:
    """Measure each size in a process and a database of its own; print a table."""
    parser = argparse.ArgumentParser(description="Measure matching alone.")
    parser.add_argument("profiles", nargs="*", type=int, default=SIZES)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        return _measure_once(options.profiles[0], options.database)
    table = Table(
        "profiles", "p50 µs", "p99 µs", "matches", "bytes", "RSS bytes", "load s", "CPU s"
    )
    for profiles in options.profiles:
        command = [sys.executable, "-m", "bench.matching", "--once", str(profiles)]
        command += ["--database", options.database]
        table.add_row(*subprocess.check_output(command, text=True).split())
    Console().print(table)
    return 0


def _measure_once(profiles: int, database: str) -> int:
    from bench.site import start  # noqa: PLC0415 - starts nothing

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start(stack, directory, database)
        import django  # noqa: PLC0415 - reads the environment that was just made
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        found = measure(profiles)
    figures = ("matches", "bytes", "rss_bytes", "load_s", "load_cpu_s")
    print(profiles, f"{found['p50_us']:.1f}", f"{found['p99_us']:.1f}", end=" ")
    print(*(f"{found[name]:.4g}" for name in figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
