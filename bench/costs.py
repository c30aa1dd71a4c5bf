"""The cost model: what one event and one notification cost, and what 10,000 a second would take.

Two runs, one with `FAN` recipients an event and one with a single one, give two equations for each
process, `many = event / FAN + notification` and `one = event + notification`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.figures import Values, short
from bench.registry import CASES, PARTS

FAN = 100
RATE = 10_000
"""Notifications a second to be reckoned for."""
BUSY = 0.7
"""How busy a core may be in the long run: beyond, waiting grows faster than work."""
FLUSH = 20
DATABASE_CORES = 16
DISK_MB_S = 200
"""Of sequential writing with fsync, as a good SSD of a cloud has it."""
CONNECTIONS = 90
"""Of PostgreSQL's 100, what is left for workers."""
PROCESSES = ("events", "medium", "beat", "database", "redis")
SERVERS = {
    "database.wal": ("PostgreSQL, WAL written", "bytes"),
    "database.rows": ("PostgreSQL, rows and indexes kept", "bytes"),
    "database.commits": ("PostgreSQL, commits", ""),
    "redis.commands": ("Redis, commands", ""),
    "redis.bytes": ("Redis, bytes in and out", "bytes"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one event costs before anybody is told, and each notification on top of that."""

    title: str
    unit: str
    event: float
    notification: float

    def each(self, fan: float) -> float:
        """Return the cost of a notification where an event is told to `fan`."""
        return self.event / fan + self.notification


@dataclass(frozen=True, slots=True)
class Limit:
    """The rate at which a part that can't be doubled ends, and how that is reckoned."""

    title: str
    rate: float
    formula: str


def model(values: Values) -> dict[str, Cost]:
    """Return the costs by process and counter; empty where the two runs are missing."""
    keys = {f"cpu.{part}": (f"CPU, {PARTS[part]}", "ms") for part in PROCESSES} | SERVERS
    found = {
        key: _solved(title, unit, values[f"cost.one.{key}"], values[f"cost.many.{key}"])
        for key, (title, unit) in keys.items()
        if values.get(f"cost.one.{key}") and values.get(f"cost.many.{key}")
    }
    if found and values.get("queries.claim.100"):
        found["queries"] = Cost(
            "queries, in full batches",
            "",
            _median(values, "queries.dispatch.100") / FAN,
            (
                _median(values, "queries.claim.100")
                + FAN / FLUSH * _median(values, "queries.flush.100")
            )
            / FAN,
        )
    return found


def matrix(values: Values) -> Iterator[list[str]]:
    """Yield a row per process: its name, CPU milliseconds per notification by case, and MiB."""
    for part, title in PARTS.items():
        keys = [f"cost.{case}.cpu.{part}" for case in CASES] + [f"memory.many.{part}"]
        cells = [short(_median(values, key)) if values.get(key) else "" for key in keys]
        if any(cells):
            yield [title, *cells]


def _solved(title: str, unit: str, one: Sequence[float], many: Sequence[float]) -> Cost:
    alone, among = statistics.median(one), statistics.median(many)
    event = max((alone - among) * FAN / (FAN - 1), 0.0)  # below zero is noise
    return Cost(title, unit, event, max(alone - event, 0.0))


def _median(values: Values, key: str) -> float:
    return statistics.median(values[key])


def needs(values: Values, fan: float) -> Iterator[tuple[str, str, str]]:
    """Yield what `RATE` notifications a second need: what, how much, and the formula with numbers."""
    costs = model(values)
    for key, title in (
        ("cpu.events", "worker processes for events"),
        ("cpu.medium", "worker processes for mail"),
        ("cpu.database", "cores for PostgreSQL"),
        ("cpu.redis", "cores for Redis"),
    ):
        if key in costs:
            each = costs[key].each(fan)
            yield (
                title,
                _count(RATE * each / 1000 / BUSY),
                f"{RATE:,} * {each:.3f} ms / {BUSY}",
            )
    if values.get("cost.lists.cpu.web"):
        each = _median(values, "cost.lists.cpu.web")
        yield (
            "gunicorn processes, lists of 100",
            _count(RATE / fan * each / 1000 / BUSY),
            f"{RATE / fan:,.0f} * {each:.3f} ms / {BUSY}",
        )
    for key, title, divisor, unit in (
        ("database.wal", "WAL", 1e6, "MB/s"),
        ("database.rows", "rows and indexes", 1e9 / 86_400, "GB a day"),
        ("database.commits", "commits", 1, "/s"),
        ("queries", "queries", 1, "/s"),
        ("redis.commands", "Redis commands", 1, "/s"),
        ("redis.bytes", "Redis, in and out", 1e6, "MB/s"),
    ):
        if key in costs:
            each = costs[key].each(fan)
            yield title, f"{RATE * each / divisor:,.1f} {unit}", f"{RATE:,} * {each:,.3f}"


def limits(values: Values, fan: float) -> list[Limit]:
    """Return what can't simply be doubled, the one that ends first at the front."""
    costs = model(values)
    workers = [costs[key] for key in ("cpu.events", "cpu.medium") if key in costs]
    found = [
        *_limit("Redis, one core", costs.get("cpu.redis"), fan, 1000 * BUSY, "ms"),
        *_limit(
            f"PostgreSQL, {DATABASE_CORES} cores",
            costs.get("cpu.database"),
            fan,
            1000 * BUSY * DATABASE_CORES,
            "ms",
        ),
        *_limit(f"WAL, {DISK_MB_S} MB/s", costs.get("database.wal"), fan, 1e6 * DISK_MB_S, "bytes"),
        *_limit(
            f"workers at {CONNECTIONS} connections",
            Cost(
                "workers",
                "ms",
                sum(each.event for each in workers),
                sum(each.notification for each in workers),
            ),
            fan,
            1000 * BUSY * CONNECTIONS,
            "ms",
        ),
    ]
    return sorted(found, key=lambda each: each.rate)


def _limit(title: str, cost: Cost | None, fan: float, whole: float, unit: str) -> Iterator[Limit]:
    """Yield the limit of a part of which there is so much a second, unless it cost nothing."""
    if cost and (each := cost.each(fan)):
        yield Limit(title, whole / each, f"{whole:,.0f} {unit} a second / {each:,.3f} {unit}")


def _count(exact: float) -> str:
    return f"{max(math.ceil(exact), 1)} ({exact:.1f})"
