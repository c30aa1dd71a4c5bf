"""Measure the sweep over millions of rows on PostgreSQL: `python -m bench.sweep`.

Each sweep finds a few leases that ran out and a few deliveries that expired, and no nudge in any
queue, so that every one of its queries runs. Writes the times and the plans as Markdown.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import time
import uuid
from collections.abc import Iterator

import redis

from bench import site as sites
from bench.alone import measured, publish
from bench.report import machine

RESULT = sites.ROOT / "bench" / "results" / "sweep.md"
FORGOTTEN = 20
WARM = 10


def main() -> int:
    """Fill, measure, print, write."""
    options = _options()
    with measured() as alone:
        progress, broker = alone.progress, alone.broker
        from bench import many_rows  # noqa: PLC0415 - needs Django

        filling = progress.add_task("filling", total=options.rows)
        many_rows.fill(options.rows, options.waiting, lambda n: progress.advance(filling, n))
        sweeping = progress.add_task("sweeping", total=options.runs)
        times = []
        for milliseconds in _sweep(broker, options.runs):
            times.append(milliseconds)
            progress.advance(sweeping)
        text = _report(options, times, _plans(broker))
    publish(RESULT, text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="deliveries in all")
    parser.add_argument("--waiting", type=int, default=100_000, help="those of them that wait")
    parser.add_argument("--runs", type=int, default=200, help="sweeps that are measured")
    options = parser.parse_args()
    if not FORGOTTEN <= options.waiting < options.rows or options.runs < 2:
        parser.error(f"--rows > --waiting >= {FORGOTTEN} and --runs >= 2 must hold")
    return options


def _sweep(broker: redis.Redis, runs: int) -> Iterator[float]:
    """Sweep; yield how many milliseconds each took, without the first few."""
    from notifier.delivering.sweeping import sweep  # noqa: PLC0415 - needs Django

    for number in range(WARM + runs):
        _forget(broker)
        start = time.perf_counter()
        counts = sweep()
        took = (time.perf_counter() - start) * 1000
        assert (counts["recovered"], counts["expired"]) == (FORGOTTEN, FORGOTTEN), counts
        if number >= WARM:
            yield took


def _forget(broker: redis.Redis) -> None:
    """Leave what a sweep is there for: leases that ran out, what expired, no nudge."""
    from notifier.models import Delivery  # noqa: PLC0415

    broker.flushdb()
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    pending = Delivery.objects.filter(state="pending", solo=False).order_by("-due_at", "pk")
    ids = list(pending.values_list("pk", flat=True)[: 2 * FORGOTTEN])
    Delivery.objects.filter(pk__in=ids[:FORGOTTEN]).update(expires_at=past)
    Delivery.objects.filter(pk__in=ids[FORGOTTEN:]).update(
        state="sending", claim_token=uuid.uuid4(), lease_until=past
    )


def _plans(broker: redis.Redis) -> list[tuple[str, str]]:
    """Return every query of one sweep that reads deliveries or events, and its plan as run."""
    from django.db import connection, transaction  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from notifier.delivering.sweeping import sweep  # noqa: PLC0415

    _forget(broker)
    with transaction.atomic():
        with CaptureQueriesContext(connection) as captured:
            sweep()
        transaction.set_rollback(True)
    asked = [
        each["sql"]
        for each in captured
        if each["sql"].lstrip().startswith(("SELECT", "UPDATE", "WITH"))
    ]
    plans = []
    for sql in dict.fromkeys(asked):
        if "notifier_delivery" not in sql and "notifier_event" not in sql:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, COSTS OFF) " + sql)
            plans.append((sql, "\n".join(line for (line,) in cursor.fetchall())))
            transaction.set_rollback(True)
    return plans


def _report(options: argparse.Namespace, times: list[float], plans: list[tuple[str, str]]) -> str:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    lines = [
        f"# The sweep over {options.rows:,} deliveries, {options.waiting:,} of which wait",
        "",
        f"PostgreSQL, {machine()}; {options.runs} sweeps. Each found {FORGOTTEN} leases that ran out,",
        f"{FORGOTTEN} deliveries that had expired, and every queue empty.",
        "",
        "| p50 | p99 | longest |",
        "|---:|---:|---:|",
        f"| {cuts[49]:.1f} ms | {cuts[98]:.1f} ms | {max(times):.1f} ms |",
    ]
    for sql, plan in plans:
        lines += ["", "```sql", sql, "```", "", "```", plan, "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
