"""The whole pipeline at work: from the first post until the last message is handed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.filling import clear, one_each, store, unfinished, verify
from bench.meter import Meter, spent
from bench.site import START_LIMIT_S, Site
from notifier.models import Delivery
from servers.process import Process, wait_until

STALLED_S = 600.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    seconds: float
    rate: float
    """Notifications a second."""
    costs: dict[str, float]
    """Per notification, by the keys of `Meter.read`."""
    memory: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Running workers of one medium, warm."""

    site: Site
    workers: dict[str, Process]
    arrives: bool
    """Whether the sink sees what is sent."""

    def run(self, expected: int, post: Callable[[], object], *, emptied: bool = True) -> Run:
        """Post to a site that is `emptied` first; wait for `expected` notifications, verify them."""
        if emptied:
            clear(self.site)
        meter = Meter(self.site, self.workers)
        before, started = meter.read(), time.monotonic()
        post()
        seconds = self.wait_for(expected) - started
        verify(self.site, expected, arrived=self.arrives)
        costs = spent(before, meter.read(), expected)
        return Run(seconds, expected / seconds, costs, meter.memory())

    def wait_for(self, expected: int) -> float:
        """Wait until all is handed over; return when the last one was, by the monotonic clock."""
        if self.arrives:
            wait_until(
                lambda: self.site.sink.tally().messages >= expected,
                timeout_s=STALLED_S,
                what=f"{expected} messages arriving",
                poll_s=POLL_S,
            )
            return self.site.sink.tally().last_at
        wait_until(
            lambda: not unfinished(), timeout_s=STALLED_S, what="everything sent", poll_s=POLL_S
        )
        return time.monotonic()


@contextmanager
def running(
    site: Site, medium: str, count: int = 1, *, app: str = "worker.app", warm: bool = True
) -> Iterator[Pipeline]:
    """Run workers; to be `warm` each of them does a little first, on an empty site."""
    with ExitStack() as stack:
        if warm:
            clear(site)
        workers = site.start_workers(stack, medium, count, app=app)
        pipeline = Pipeline(site, workers, arrives=medium != "null")
        if warm:
            store(one_each(1))
            wait_until(
                _something_sent,
                timeout_s=START_LIMIT_S,
                what="the first notification",
                poll_s=POLL_S,
            )
            verify(site, 1, arrived=pipeline.arrives)
        yield pipeline


def _something_sent() -> bool:
    return Delivery.objects.filter(state=Delivery.State.SENT).exists()


def costs(case: str, run: Run) -> dict[str, float]:
    """Return a run's costs under a case's name, as the figures have it."""
    found: dict[str, Any] = {f"cost.{case}.{key}": value for key, value in run.costs.items()}
    total = sum(
        value
        for key, value in run.costs.items()
        if key.startswith("cpu.") and key not in {"cpu.producer", "cpu.sink"}
    )
    memory = {f"memory.{case}.{key.partition('.')[2]}": value for key, value in run.memory.items()}
    return {**found, f"cost.{case}.cpu.all": total, **memory}
