"""The whole pipeline: from the first post over HTTP until the mail sink has everything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench import sink, usage
from bench.filling import LIST, MATCHES, clear, events, verify
from bench.posting import post
from bench.site import Site
from servers.process import Process, wait_until

STALLED_S = 120.0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What runs, and how to post to it."""

    site: Site
    port: int
    token: str
    processes: Mapping[str, Process]
    """Those whose CPU time is a notification's price."""


def flow(pipeline: Pipeline, case: str, count: int) -> dict[str, float]:
    """Post events in lists of 100 to running workers; return the rate and the CPU time used."""
    expected = count * MATCHES[case]
    site, processes = pipeline.site, pipeline.processes
    clear(site)
    posted = events(case, count)
    before = _cpu(processes)
    started = time.monotonic()
    post(pipeline.port, pipeline.token, posted, size=LIST, connections=1)
    wait_until(
        lambda: sink.ask(site.count_port).messages >= expected,
        timeout_s=STALLED_S,
        what=f"{expected} mails arriving",
        poll_s=0.1,
    )
    seconds = sink.ask(site.count_port).last_at - started
    verify(site, expected)
    used = {part: 1000 * (now - before[part]) / expected for part, now in _cpu(processes).items()}
    cpu = {f"cpu.{case}.{part}": value for part, value in used.items()}
    return {f"flow.{case}": expected / seconds, f"cpu.{case}.total": sum(used.values()), **cpu}


def _cpu(processes: Mapping[str, Process]) -> dict[str, float]:
    return {part: usage.cpu_s(process) for part, process in processes.items()}
