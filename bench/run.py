"""All measurements on one database: `python -m bench.run DATABASE REPEATS SIZE FILE`.

A process of its own, because Django knows one database in its life. Writes the values as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import site as sites
from bench.figures import Values


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each: enough for a figure, few enough for the time there is."""

    events_a: int
    events_b: int
    mails: int
    rows: int
    tasks: int
    singles: int
    listed: int


SIZES = {
    "full": Size(1000, 30, 500, 6000, 1000, 300, 3000),
    "quick": Size(300, 8, 200, 3000, 400, 100, 1000),
}
STEPS = 8


class Measuring:
    """Repeats measurements, keeps their values and moves the progress bar."""

    def __init__(self, progress: Progress, database: str, repeats: int) -> None:
        self.values: Values = {}
        self.repeats = repeats
        self._progress = progress
        self._bar = progress.add_task(database, total=repeats * STEPS)
        self._name = database

    def repeat(self, what: str, once: Callable[[], dict[str, float]]) -> None:
        """Measure something as often as asked for."""
        self.take(what, (once() for _ in range(self.repeats)))

    def once(self, found: dict[str, float]) -> None:
        """Take what is measured once."""
        self.values |= {key: [value] for key, value in found.items()}

    def take(self, what: str, found: Iterable[dict[str, float]]) -> None:
        """Take the values of one repetition after another."""
        self._progress.update(self._bar, description=f"{self._name}: {what}")
        for each in found:
            for key, value in each.items():
                self.values.setdefault(key, []).append(value)
            self._progress.advance(self._bar)


def measure(measuring: Measuring, site: sites.Site, size: Size) -> None:
    """Measure everything; raise where what comes out is not what went in."""
    from bench import ceilings, filling, flow, stages, usage  # noqa: PLC0415 - need Django

    token = filling.populate()
    measuring.repeat("building and sending mail", lambda: ceilings.mail(site, size.mails))
    measuring.take("no-op tasks", ceilings.celery(site, size.tasks, measuring.repeats))

    def insert() -> dict[str, float]:
        filling.clear(site)
        return ceilings.insert(size.rows)

    measuring.repeat("inserting rows", insert)
    counts = {"A": size.events_a, "B": size.events_b}
    for case, count in counts.items():

        def alone(case: str = case, count: int = count) -> dict[str, float]:
            return stages.dispatch_and_deliver(site, case, count)

        measuring.repeat(f"dispatch and deliver alone, case {case}", alone)
    with ExitStack() as stack:
        web, port = sites.start_web(stack, site)
        measuring.repeat(
            "intake alone", lambda: stages.intake(site, port, token, size.singles, size.listed)
        )
        workers = sites.start_workers(stack, site)
        pipeline = flow.Pipeline(site, port, token, {**workers, "web": web, **site.servers})
        flow.flow(pipeline, "B", 2)  # warm: imports, connections, templates
        measuring.once(usage.memory_mib(workers, "before"))
        for case, count in counts.items():

            def whole(case: str = case, count: int = count) -> dict[str, float]:
                return flow.flow(pipeline, case, count)

            measuring.repeat(f"the whole pipeline, case {case}", whole)
        measuring.once(usage.memory_mib(workers, "after"))


def main(database: str, repeats: int, size: str, result: Path) -> None:
    """Start the servers, measure, write the values."""
    columns = (TextColumn("{task.description:<55}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory,
        Progress(*columns, TimeElapsedColumn()) as progress,
        ExitStack() as stack,
    ):
        measuring = Measuring(progress, database, repeats)
        site = sites.start(stack, Path(directory), database)
        django.setup()
        call_command("migrate", verbosity=0)
        measure(measuring, site, SIZES[size])
        result.write_text(json.dumps(measuring.values))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
