"""How much of each is measured: enough for a figure, little enough for the time there is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Counts are of events, mails, rows, …; times are in seconds."""

    repeats: int
    """Of what scatters most: each repetition has its own ceiling beside it."""
    raw_mails: int
    raw_posts: int
    raw_tasks: int
    raw_rows: int
    fan_out: int
    """Events, told to 100 people each."""
    one_each: int
    """Events, told to one person each."""
    http_singles: int
    http_listed: int
    notified: int
    profiles: tuple[int, ...]
    recipients: tuple[int, ...]
    latency: tuple[tuple[int, float], ...]
    """Events a second, and for how long."""
    routine: int
    """Deliveries that wait before the first critical event comes."""
    critical: int
    workers: tuple[int, ...]
    """Processes of a medium, against a sink that takes its time."""
    worker_window_s: float
    endured: int
    """Events that wait when the workers begin; told to one person each."""
    events_on: int
    """Events, told to 100 people each, with and without task events."""


FULL = Size(
    repeats=3,
    raw_mails=2000,
    raw_posts=3000,
    raw_tasks=5000,
    raw_rows=10_000,
    fan_out=100,
    one_each=5000,
    http_singles=2000,
    http_listed=20_000,
    notified=1000,
    profiles=(10, 100, 1000, 10_000, 100_000),
    recipients=(1, 10, 100, 1000, 10_000),
    latency=((5, 40.0), (20, 15.0), (50, 10.0)),
    routine=50_000,
    critical=100,
    workers=(1, 2, 4),
    worker_window_s=6.0,
    endured=100_000,
    events_on=50,
)
QUICK = Size(
    repeats=1,
    raw_mails=100,
    raw_posts=200,
    raw_tasks=200,
    raw_rows=500,
    fan_out=3,
    one_each=100,
    http_singles=50,
    http_listed=500,
    notified=50,
    profiles=(10, 100),
    recipients=(1, 10, 100),
    latency=((20, 1.0),),
    routine=3000,
    critical=3,
    workers=(1, 2),
    worker_window_s=1.0,
    endured=500,
    events_on=2,
)
SIZES = {"full": FULL, "quick": QUICK}
