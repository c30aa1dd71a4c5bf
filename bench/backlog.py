"""Measure a backlog of 100,000 deliveries on PostgreSQL: `python -m bench.backlog`.

Half of it is one user's, half is 1,000 others'. While workers drain it, events are posted over HTTP,
every tenth of them critical: how long do they take to be accepted and to be told, and how much
memory does each process take? Writes a table as Markdown.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from typing import Any

from rich.progress import Progress

from bench import site as sites
from bench import usage
from bench.alone import measured, publish
from bench.report import machine

RESULT = sites.ROOT / "bench" / "results" / "backlog.md"
OTHERS = 1000
POSTS = 300
PAUSE_S = 0.05


def main() -> int:
    """Fill, drain for a while, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=100_000)
    options = parser.parse_args()
    with measured() as alone:
        progress, stack, site = alone.progress, alone.stack, alone.site
        token = _fill(options.deliveries, progress)
        workers = sites.start_workers(stack, site)
        workers["email 2"] = sites.start_celery(stack, site, "email2", "worker.app", "media.email")
        workers["web"], port = sites.start_web(stack, site)
        figures = _watch(port, token, alone.broker, workers, progress)
        text = _report(options.deliveries, figures)
    publish(RESULT, text)
    return 0


def _fill(count: int, progress: Progress) -> str:
    """Make users and their routine deliveries, by dispatch itself; return a source's token."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs Django

    from notifier.delivering.dispatching import dispatch  # noqa: PLC0415
    from notifier.intake.accepting import accept  # noqa: PLC0415
    from notifier.intake.schema import parse_event  # noqa: PLC0415
    from notifier.models import Source, SourceToken  # noqa: PLC0415

    source = Source.objects.create(name="bench", type="cron")
    for number in range(OTHERS + 1):
        user = User(username=f"user{number}", email=f"user{number}@example.org")
        user.set_unusable_password()
        user.save()
    names = [f"user{number}" for number in range(1, OTHERS + 1)]
    filling = progress.add_task("filling", total=count)
    for each in range(count // 2 // OTHERS):
        accept([parse_event({"description": f"to all {each}", "recipients": names})], source)
    for each in range(0, count // 2, 500):
        alone = {"recipients": ["user0"]}
        events = [{"description": f"to one {each + n}", **alone} for n in range(500)]
        accept([parse_event(event) for event in events], source)
    while made := dispatch()["deliveries"]:
        progress.advance(filling, made)
    return SourceToken.issue(source)


def _watch(
    port: int, token: str, broker: Any, workers: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Post for a while; return latencies in milliseconds and memory in MiB."""
    from notifier.models import Delivery  # noqa: PLC0415 - needs Django

    started, accepted, ids = time.monotonic(), [], []
    before = Delivery.objects.filter(state="pending").count()
    memory: dict[str, float] = {"redis": 0.0, **dict.fromkeys(workers, 0.0)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for number in progress.track(range(POSTS), description="posting"):
        level = 1 if number % 10 == 0 else 5
        event = {
            "description": f"new {number}",
            "level": level,
            "recipients": [f"user{number + 1}"],
        }
        start = time.monotonic()
        connection.request("POST", "/api/v1/events", json.dumps(event), headers)
        answer = json.load(connection.getresponse())
        accepted.append(1000 * (time.monotonic() - start))
        if level == 1:
            ids.append(answer["id"])
        memory["redis"] = max(memory["redis"], broker.info("memory")["used_memory"] / 2**20)
        for name, process in workers.items():
            memory[name] = max(memory[name], usage.resident_mib(process))
        time.sleep(PAUSE_S)
    critical: list[float] = []
    while len(critical) < len(ids):
        rows = Delivery.objects.filter(event__in=ids, state="sent")
        times = rows.values_list("event__received", "finished_at")
        critical = [1000 * (end - start).total_seconds() for start, end in times if end]
        time.sleep(0.1)
    left = Delivery.objects.filter(state="pending").count()
    return {
        "accepted": accepted,
        "critical": critical,
        "memory": memory,
        "left": left,
        "rate": (before - left) / (time.monotonic() - started),
    }


def _report(count: int, figures: dict[str, Any]) -> str:
    rows = [
        ("accepted over HTTP, one event a request", figures["accepted"]),
        ("critical: accepted until recorded as sent", figures["critical"]),
    ]
    lines = [
        f"# A backlog of {count:,} deliveries\n",
        f"{machine()}. Two mail workers drained {figures['rate']:.0f} a second.\n",
        "| milliseconds | p50 | p99 | longest |",
        "| --- | --: | --: | --: |",
    ]
    for name, values in rows:
        cuts = statistics.quantiles(values, n=100)
        lines.append(f"| {name} | {cuts[49]:.0f} | {cuts[98]:.0f} | {max(values):.0f} |")
    lines += ["", "| memory at most, MiB | |", "| --- | --: |"]
    lines += [f"| {name} | {mib:.0f} |" for name, mib in figures["memory"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
