"""All scenarios on one database: `python -m bench.run DATABASE SIZE FILE [TITLE]`.

A process of its own, because Django knows one database in its life. Writes the values as JSON,
and which scenarios failed: those that came to nothing, or to something wrong.
With a part of a title: only the scenarios that have it.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import site as sites
from bench.sizes import SIZES, Size

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement: from a site and a size to values by figure."""

    title: str
    measure: Callable[[sites.Site, Size], dict[str, float]]
    scatters: bool = False
    """Whether it is repeated."""
    everywhere: bool = True
    """Whether it is measured on SQLite too, where one process writes at a time."""


def scenarios() -> tuple[Scenario, ...]:
    """Return them in their order; Django must be set up."""
    from bench.scenarios import (  # noqa: PLC0415 - need Django
        endurance,
        fan_out,
        intake,
        latency,
        matches,
        one_to_one,
        queries,
        scaling,
    )

    return (
        Scenario("matching", matches.measure, everywhere=False),
        Scenario("queries per batch", queries.measure),
        Scenario("mail to many", fan_out.mail, scatters=True),
        Scenario("webhooks to many", fan_out.webhook, scatters=True),
        Scenario("one event, one recipient", one_to_one.measure, scatters=True),
        Scenario("intake over HTTP", intake.over_http, scatters=True),
        Scenario("notify()", intake.in_process, scatters=True),
        Scenario("latency at several rates", latency.at_rates),
        Scenario("critical behind a backlog", latency.behind_backlog, everywhere=False),
        Scenario("more workers, slow mail server", scaling.slow_mail, everywhere=False),
        Scenario("more workers, slow web server", scaling.slow_webhook, everywhere=False),
        Scenario("1 to 10,000 recipients", scaling.recipients, everywhere=False),
        Scenario("task events on and off", scaling.task_events, everywhere=False),
        Scenario("a backlog of 100,000, and memory", endurance.measure, everywhere=False),
    )


def main(database: str, size_name: str, result: Path, part: str = "") -> None:
    """Start the servers, measure, write the values."""
    columns = (TextColumn("{task.description:<50}"), BarColumn(), MofNCompleteColumn())
    size = SIZES[size_name]
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory,
        # seldom: it is drawn by the process that is measured
        Progress(*columns, TimeElapsedColumn(), refresh_per_second=1) as progress,
        ExitStack() as stack,
    ):
        bar = progress.add_task(f"{database}: starting", total=None)
        site = sites.start(stack, Path(directory), database)
        django.setup()
        call_command("migrate", verbosity=0)
        chosen = [
            each
            for each in scenarios()
            if (each.everywhere or database == "postgresql") and part in each.title
        ]
        times = {each.title: size.repeats if each.scatters else 1 for each in chosen}
        progress.update(bar, total=sum(times.values()))
        values: dict[str, list[float]] = {}
        failed: list[str] = []
        for each in chosen:
            progress.update(bar, description=f"{database}: {each.title}")
            for _ in range(times[each.title]):
                try:
                    found = each.measure(site, size)
                except Exception:
                    log.exception("%s: %s", database, each.title)
                    failed.append(each.title)  # and the other quarter of an hour is not lost
                    break
                for key, value in found.items():
                    values.setdefault(key, []).append(value)
                progress.advance(bar)
        result.write_text(json.dumps({"values": values, "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
