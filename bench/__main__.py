"""Measure notifications per second of the real pipeline: `python -m bench`, or `make bench`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import report
from bench.figures import Values
from bench.site import ROOT

RESULTS = ROOT / "bench" / "results"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> int:
    """Measure on each database, print the table, write Markdown and JSON."""
    options = _options()
    chosen = list(DATABASES) if options.database == "both" else [options.database]
    runs: dict[str, Values] = {}
    for database in chosen:
        found = _measure(database, options.repeats, "quick" if options.quick else "full")
        if found is None:
            return 1
        runs[DATABASES[database]] = found
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(report.table(runs))
    path = report.write(runs, RESULTS)
    console.print(f"Written to {path.relative_to(ROOT)} and {path.with_suffix('.json').name}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--database", choices=[*DATABASES, "both"], help="both; with --quick: sqlite"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, once")
    parser.add_argument("--repeats", type=int, help="how often each is measured (3; quick: 1)")
    options = parser.parse_args()
    options.database = options.database or ("sqlite" if options.quick else "both")
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def _measure(database: str, repeats: int, size: str) -> Values | None:
    """Run one database's measurements in a process of their own; None where that failed."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as directory:
        result = Path(directory) / "values.json"
        command = [sys.executable, "-m", "bench.run", database, str(repeats), size, str(result)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return None
        values: Values = json.loads(result.read_text())
        return values


if __name__ == "__main__":
    sys.exit(main())
