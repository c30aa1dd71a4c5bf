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
    """Measure on each database, print the table, write Markdown, JSON and the plot."""
    options = _options()
    chosen = list(DATABASES) if options.database == "both" else [options.database]
    runs: dict[str, Values] = {}
    for database in chosen:
        found = _measure(database, options.size, options.only)
        if found is None:
            return 1
        runs[DATABASES[database]] = found
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(report.table(runs))
    directory = PUBLISHED if options.publish else options.results
    path = report.write(runs, options.size, directory)
    plot.draw(next(iter(runs.values())), path.with_name("plot.svg"))
    console.print(f"Written to {path}, report.json and plot.svg")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--size", choices=list(SIZES), default="full")
    parser.add_argument("--only", default="", help="scenarios whose titles have this in them")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report goes")
    parser.add_argument("--publish", action="store_true", help="to docs/performance instead")
    return parser.parse_args()


def _measure(database: str, size: str, only: str) -> Values | None:
    """Run one database's scenarios in a process of their own; None where that failed."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory:
        result = Path(directory) / "values.json"
        command = [sys.executable, "-m", "bench.run", database, size, str(result), only]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return None
        values: Values = json.loads(result.read_text())
        return values


if __name__ == "__main__":
    sys.exit(main())
