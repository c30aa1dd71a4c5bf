"""Measure everything beside its raw ceiling: `python -m bench`, or `make bench`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import plot, report
from bench.figures import Values
from bench.site import ROOT
from bench.sizes import SIZES

RESULTS = ROOT / "bench" / "results"
PUBLISHED = ROOT / "docs" / "performance"
DATABASES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def main() -> int:
    """Measure on each database, print the table, write Markdown, JSON and the plot.

    Returns 1 where a scenario failed; what the others found is shown all the same.
    """
    options = _options()
    chosen = list(DATABASES) if options.database == "both" else [options.database]
    runs: dict[str, Values] = {}
    failed: list[str] = []
    for database in chosen:
        values, missing = _measure(database, options.size, options.only)
        runs[DATABASES[database]] = values
        failed += [f"{DATABASES[database]}: {title}" for title in missing]
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(report.table(runs))
    directory = PUBLISHED if options.publish else options.results
    path = report.write(runs, options.size, directory)
    plot.draw(next(iter(runs.values())), path.with_name("plot.svg"))
    console.print(f"Written to {path}, report.json and plot.svg")
    for each in failed:
        console.print(f"[bold red]failed[/] {each}")
    return bool(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--size", choices=list(SIZES), default="full")
    parser.add_argument("--only", default="", help="scenarios whose titles have this in them")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report goes")
    parser.add_argument("--publish", action="store_true", help="to docs/performance instead")
    return parser.parse_args()


def _measure(database: str, size: str, only: str) -> tuple[Values, list[str]]:
    """Run one database's scenarios in a process of their own; return values, and what failed.

    Raises `subprocess.CalledProcessError` where not even the servers started.
    """
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory:
        result = Path(directory) / "values.json"
        command = [sys.executable, "-m", "bench.run", database, size, str(result), only]
        subprocess.run(command, cwd=ROOT, check=True)
        found = json.loads(result.read_text())
        return found["values"], found["failed"]


if __name__ == "__main__":
    sys.exit(main())
