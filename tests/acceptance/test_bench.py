"""The benchmark, all of it and little of each: it runs, verifies its sends, and writes its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.registry import FIGURES
from bench.sizes import FULL, QUICK

ROOT = Path(__file__).parents[2]
LIMIT_S = 900  # for a machine that runs all the other tests meanwhile
FULL_ONLY = {
    *(f"matching.{count}." for count in set(FULL.profiles) - set(QUICK.profiles)),
    *(f"recipients.{count}" for count in set(FULL.recipients) - set(QUICK.recipients)),
    *(f"latency.{rate}." for rate, _ in FULL.latency if rate not in dict(QUICK.latency)),
    *(f"workers.{slug}.4" for slug in ("email", "webhook")),
}


def test_a_quick_run_measures_every_figure_and_writes_the_report(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--size", "quick", "--database", "postgresql"]
    done = subprocess.run(
        [*command, "--results", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    measured = set(json.loads((tmp_path / "report.json").read_text())["values"]["PostgreSQL"])
    missing = {figure.key for figure in FIGURES} - measured
    assert {key for key in missing if not key.startswith(tuple(FULL_ONLY))} == set()
    report = (tmp_path / "report.md").read_text()
    for part in ("The figures to reach", "The cost model", "10,000 notifications a second"):
        assert f"## {part}" in report
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
