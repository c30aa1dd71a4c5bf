"""The table of faults: `python -m tests.acceptance.faults.table FILE` prints it as Markdown.

Tests add to the file that NOTIFIER_FAULT_TABLE names.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = ("fault", "database", "in flight", "lost", "doubled", "recovered after (s)")


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """What one fault did; `in_flight` notifications were not told when it began."""

    fault: str
    database: str
    in_flight: int
    lost: int
    doubled: int
    recovered_s: float


def add(row: Row) -> None:
    """Append a row, where somebody wants the table."""
    if path := os.environ.get("NOTIFIER_FAULT_TABLE"):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def markdown(text: str) -> str:
    """Return the rows of a file as a Markdown table, by fault."""
    rows = sorted(Row(**json.loads(line)) for line in text.splitlines())
    cells = [HEAD, ("---",) * len(HEAD)]
    cells += [
        (
            row.fault,
            row.database,
            f"{row.in_flight:,}",
            str(row.lost),
            str(row.doubled),
            f"{row.recovered_s:.1f}",
        )
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


if __name__ == "__main__":
    sys.stdout.write(markdown(Path(sys.argv[1]).read_text()) + "\n")
