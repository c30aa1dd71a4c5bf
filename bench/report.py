"""The figures as a table for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.table import Table

from bench import costs
from bench.argus import compared
from bench.figures import Values, percent, short, shown
from bench.findings import Finding, findings
from bench.registry import CASES, GROUPS

Runs = Mapping[str, Values]
"""The values of each database; the targets are for the first."""
_MARKS = {True: "yes", False: "**no**", None: ""}
_FANS = {1: "an event is told to one", costs.FAN: f"an event is told to {costs.FAN}"}


def machine() -> str:
    """Describe the machine in as few words as a comparison needs."""
    major, minor, _ = platform.python_version_tuple()
    packages = ", ".join(f"{name} {version(name)}" for name in ("celery", "django", "redis"))
    return f"{os.cpu_count()} cores, {platform.system()}, Python {major}.{minor}, {packages}"


def table(runs: Runs) -> Table:
    """Return everything as one table."""
    found = Table(title=f"Notifier on {machine()}")
    headings = _headings(runs)
    for number, heading in enumerate(headings):
        found.add_column(heading, justify="right" if number >= 2 else "left")
    for group in GROUPS:
        rows = list(_rows(group, runs))
        if rows:
            found.add_section()
            found.add_row(f"[bold]{group}")
        for row in rows:
            found.add_row(*[cell.replace("**no**", "[bold red]no") for cell in row])
    return found


def markdown(runs: Runs, size: str, at: dt.datetime) -> str:
    """Return the whole report."""
    lines = [
        "# Performance: one run\n",
        f"Size “{size}”, {at:%Y-%m-%d}, {machine()}. Median (lowest-highest) where repeated.\n",
        "[What is measured, and how to read it](../performance.md).\n",
        "![Matching, latency, scaling, costs](plot.svg)\n",
        "## The figures to reach\n",
        *_markdown_table(_headings(runs), _aimed_rows(runs)),
        "\n## Everything measured",
    ]
    for group in GROUPS:
        rows = list(_rows(group, runs))
        if rows:
            lines += ["", *_markdown_table([group, *_headings(runs)[1:]], rows)]
    for name, values in runs.items():
        lines += _cost_matrix(name, values)
    first = next(iter(runs.values()))
    return "\n".join([*lines, *_cost_lines(first), *_argus_lines(first)]) + "\n"


def write(runs: Runs, size: str, directory: Path) -> Path:
    """Write report.md and report.json into a directory; return the former's path."""
    directory.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    path = directory / "report.md"
    path.write_text(markdown(runs, size, now))
    found = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "size": size,
        "values": runs,
        "findings": {name: [_plain(each) for each in findings(run)] for name, run in runs.items()},
    }
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    return path


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "key": finding.figure.key,
        "title": finding.figure.title,
        "unit": finding.figure.unit,
        "median": statistics.median(finding.values),
        "ceiling": finding.ceiling.key if finding.ceiling else None,
        "ratio": finding.ratio,
        "target": asdict(finding.target) if finding.target else None,
        "reached": finding.reached,
    }


def _headings(runs: Runs) -> list[str]:
    first, *others = runs
    more = [each for name in others for each in (name, "ratio")]
    return ["", "unit", first, "ratio", "target", "reached", *more, "ratio to"]


def _rows(group: str, runs: Runs) -> Iterator[list[str]]:
    yield from (row for finding, row in _all_rows(runs) if finding.figure.group == group)


def _aimed_rows(runs: Runs) -> Iterator[list[str]]:
    yield from (row for finding, row in _all_rows(runs) if finding.target)


def _all_rows(runs: Runs) -> Iterator[tuple[Finding, list[str]]]:
    (_, first), *others = runs.items()
    beside = [
        {(each.figure, each.ceiling): each for each in findings(values)} for _, values in others
    ]
    for finding in findings(first):
        figure, ceiling = finding.figure, finding.ceiling
        rest = [more.get((figure, ceiling)) for more in beside]
        target = str(finding.target) if finding.target else ""
        yield (
            finding,
            [
                figure.title,
                figure.unit,
                *_cells(finding),
                target,
                _MARKS[finding.reached],
                *(cell for each in rest for cell in _cells(each)),
                ceiling.title if ceiling else "",
            ],
        )


def _cells(finding: Finding | None) -> list[str]:
    if finding is None:
        return ["-", ""]
    return [shown(finding.values), "" if finding.ratio is None else percent(finding.ratio)]


def _cost_matrix(name: str, values: Values) -> Iterator[str]:
    rows = list(costs.matrix(values))
    if rows:
        yield f"\n## CPU and memory by process, {name}\n"
        yield "Milliseconds of CPU per notification, that is, seconds per 1,000; MiB after fan-out.\n"
        yield from _markdown_table(["process", *CASES.values(), "MiB"], rows)


def _cost_lines(values: Values) -> Iterator[str]:
    model = costs.model(values)
    if not model:
        return
    yield "\n## The cost model\n"
    yield "`event` is what an event costs before anybody is told, `notification` what each adds.\n"
    rows = [
        [each.title, each.unit, short(each.event), short(each.notification)]
        for each in model.values()
    ]
    yield from _markdown_table(["", "unit", "event", "notification"], rows)
    yield f"\n## {costs.RATE:,} notifications a second\n"
    yield (
        "By that model; a core is kept "
        f"{percent(costs.BUSY)} busy. Mail by SMTP, events posted in lists over HTTP."
    )
    for fan, words in _FANS.items():
        yield f"\nWhere {words}:\n"
        needs = [[what, much, f"`{how}`"] for what, much, how in costs.needs(values, fan)]
        yield from _markdown_table(["what", "how much", "reckoned as"], needs)
        yield "\nWhat ends first:\n"
        ends = [
            [each.title, short(each.rate), f"`{each.formula}`"]
            for each in costs.limits(values, fan)
        ]
        yield from _markdown_table(["what", "notifications/s", "reckoned as"], ends)


def _argus_lines(values: Values) -> Iterator[str]:
    rows = compared(values)
    if rows:
        yield "\n## Beside Argus\n"
        yield (
            "Argus 2.10.2 was measured with its own production settings on PostgreSQL, on another "
            "day and the same kind of machine.\n"
        )
        yield from _markdown_table(["", "Argus", "Notifier"], rows)


def _markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table without the columns that would be empty."""
    listed = list(rows)
    kept = [i for i in range(len(headings)) if any(row[i] not in {"", "-"} for row in listed)]
    yield _line([headings[i] for i in kept])
    yield _line(["--:" if i else "---" for i in kept])
    for row in listed:
        yield _line([row[i] for i in kept])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
