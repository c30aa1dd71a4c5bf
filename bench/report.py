"""The figures as a table for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.table import Table

from bench.figures import FIGURES, GROUPS, Figure, Values, ratio, shown

Runs = Mapping[str, Values]
"""The values of each database."""


def machine() -> str:
    """Describe the machine in as few words as a comparison needs."""
    major, minor, _ = platform.python_version_tuple()
    return f"{os.cpu_count()} cores, {platform.system()}, Python {major}.{minor}"


def table(runs: Runs) -> Table:
    """Return everything as one table."""
    found = Table(title=f"Notifier on {machine()}: median (lowest-highest)")
    for heading in _headings(runs):
        found.add_column(heading, justify="left" if heading in {"", "unit"} else "right")
    for group in GROUPS:
        found.add_section()
        found.add_row(f"[bold]{group}")
        for row in _rows(group, runs):
            found.add_row(*row)
    return found


def markdown(runs: Runs) -> str:
    """Return everything as Markdown, one table per group."""
    lines = [f"Measured on {machine()}: median (lowest-highest)."]
    for group in GROUPS:
        rows = list(_rows(group, runs))
        kept = [i for i in range(len(_headings(runs))) if i < 2 or any(row[i] for row in rows)]
        headings = [group, *_headings(runs)[1:]]
        lines += ["", *(_line([row[i] for i in kept]) for row in (headings, _rule(runs), *rows))]
    return "\n".join(lines) + "\n"


def write(runs: Runs, directory: Path) -> Path:
    """Write Markdown and JSON named by the time; return the Markdown's path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H%M%SZ}.md"
    path.write_text(markdown(runs))
    path.with_suffix(".json").write_text(json.dumps({"machine": machine(), "runs": runs}, indent=1))
    return path


def _headings(runs: Runs) -> list[str]:
    return ["", "unit", *(each for name in runs for each in (name, "of ceiling"))]


def _rule(runs: Runs) -> list[str]:
    return ["---", "---", *["--:"] * (2 * len(runs))]


def _rows(group: str, runs: Runs) -> Iterator[list[str]]:
    for figure in FIGURES:
        if figure.group == group and any(figure.key in values for values in runs.values()):
            yield [figure.title, figure.unit, *_cells(figure, runs)]


def _cells(figure: Figure, runs: Runs) -> Iterator[str]:
    for values in runs.values():
        yield shown(values.get(figure.key, []))
        yield ratio(figure, values)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
