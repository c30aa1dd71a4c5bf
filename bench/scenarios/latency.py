"""From accepted to handed over, at a steady rate and behind a backlog."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from bench.filling import GROUP, Wrong, clear, one_each, populate, store, verify
from bench.pipeline import running
from bench.site import START_LIMIT_S, Site
from bench.sizes import Size
from notifier import notify
from notifier.delivering.dispatching import dispatch
from notifier.models import Delivery
from servers.process import wait_until

CRITICAL_RATE = 5
OTHERS = 1000
"""People who share half of the backlog; the other half is one's own."""


def at_rates(site: Site, size: Size) -> dict[str, float]:
    """Post mail's events one by one at several rates; return percentiles in milliseconds."""
    populate(site, GROUP)
    found: dict[str, float] = {}
    with running(site, "email") as pipeline:
        for rate, seconds in size.latency:
            clear(site)
            accepted = dict(post_steadily(one_each(int(rate * seconds)), rate))
            pipeline.wait_for(len(accepted))
            verify(site, len(accepted))
            found |= _percentiles(f"latency.{rate}", latencies(site, accepted))
    return found


def behind_backlog(site: Site, size: Size) -> dict[str, float]:
    """Post critical events while one mail worker is at a backlog of routine ones."""
    populate(site, OTHERS + 1)
    _fill(size.routine)
    critical = [{**each, "level": 1} for each in one_each(size.critical, OTHERS)]
    with running(site, "email", warm=False):
        wait_until(
            lambda: site.sink.tally().messages,
            timeout_s=START_LIMIT_S,
            what="the worker's first mail",
        )
        accepted = dict(post_steadily(critical, CRITICAL_RATE))
        wait_until(
            lambda: len(latencies(site, accepted)) == len(accepted),
            timeout_s=120,
            what="all critical events being told",
            poll_s=0.2,
        )
        if not Delivery.objects.filter(state=Delivery.State.PENDING).exists():
            raise Wrong("the backlog was gone before the last critical event was told")
        tally = site.sink.tally()
    if tally.messages != tally.distinct:
        raise Wrong(f"{tally.messages} mails with {tally.distinct} ids")
    found = _percentiles("critical", latencies(site, accepted))
    clear(site)
    return found


def _fill(count: int) -> None:
    """Make routine deliveries by dispatch itself: half of them one user's, half all others'."""
    half = count // 2
    others = [f"user{number}" for number in range(1, OTHERS + 1)]
    store([_routine(others[: half - start]) for start in range(0, half, OTHERS)])
    store([_routine(["user0"]) for _ in range(half)])
    while dispatch()["events"]:
        pass


def _routine(recipients: Sequence[str]) -> dict[str, Any]:
    return {"description": "a report is ready", "level": 5, "recipients": list(recipients)}


def post_steadily(posted: Sequence[Mapping[str, Any]], rate: float) -> Iterator[tuple[UUID, float]]:
    """Post each when it is its turn, however long the ones before took; yield when it was accepted."""
    begin = time.monotonic()
    for number, each in enumerate(posted):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        yield notify(**each, source="bench"), time.monotonic()


def latencies(site: Site, accepted: Mapping[UUID, float]) -> list[float]:
    """Return the milliseconds from acceptance to arrival of those that have arrived."""
    arrived = {key.partition(".")[0]: at for key, at in site.sink.arrivals().items()}
    return [
        1000 * (arrived[str(event)] - at) for event, at in accepted.items() if str(event) in arrived
    ]


def _percentiles(key: str, milliseconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {f"{key}.p50": cuts[49], f"{key}.p99": cuts[98]}
