"""Argus beside Notifier: what the same kind of machine did."""

from __future__ import annotations

import statistics

from bench.figures import Values, short

ARGUS = (
    ("matching one event, 10 profiles", "64 ms", ("matching.10.p50_us",), "µs"),
    ("matching one event, 100 profiles", "387 ms", ("matching.100.p50_us",), "µs"),
    ("matching one event, 1,000 profiles", "3.7 s", ("matching.1000.p50_us",), "µs"),
    ("matching one event, 10,000 profiles", "32 s", ("matching.10000.p50_us",), "µs"),
    ("events accepted by the ORM, a second", "54-58", ("notify.p50",), "ms each"),
    ("mails a second, one match an event", "4.3-10", ("one.mail.single",), ""),
    ("mails a second, 100 matches an event", "50-78", ("fan_out.mail",), ""),
    (
        "5 events a second, p50 and p99",
        "840 and 1,700 ms",
        ("latency.5.p50", "latency.5.p99"),
        "ms",
    ),
    ("memory of a worker", "106-111 MiB", ("idle",), "MiB"),
)
MATCHING_MS = {10: 64.0, 100: 387.0, 1000: 3700.0, 10_000: 32_000.0}


def compared(values: Values) -> list[list[str]]:
    """Return what both were measured for: what, Argus, Notifier."""
    found = []
    for title, argus, keys, unit in ARGUS:
        if all(values.get(key) for key in keys):
            ours = " and ".join(short(statistics.median(values[key])) for key in keys)
            found.append([title, argus, f"{ours} {unit}".rstrip()])
    return found
