"""Taking events in, while nothing else runs: over HTTP, and in a Django process."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

from bench.filling import LIST, Wrong, clear, one_each, populate, store
from bench.meter import Meter, spent
from bench.posting import get, post
from bench.raw import rows
from bench.site import Site
from bench.sizes import Size
from notifier import notify
from notifier.models import Event, Source, SourceToken


def over_http(site: Site, size: Size) -> dict[str, float]:
    """Post to gunicorn, one event a request and 100, beside a page that does nothing."""
    populate(site, LIST)
    token = SourceToken.issue(Source.objects.get(name="bench"))
    singles, listed = size.http_singles, size.http_listed
    with ExitStack() as stack:
        web, port = site.start_web(stack)
        meter = Meter(site, {"web": web})
        post(port, token, one_each(4), size=1)  # warm
        clear(site)
        found = {"raw.page": singles / get(port, "/livez", singles)}
        before = meter.read()
        found["http.single"] = singles / post(port, token, one_each(singles), size=1)
        between = meter.read()
        found["http.listed"] = listed / post(port, token, one_each(listed), size=LIST)
        after = meter.read()
    _check(singles + listed)
    clear(site)
    for case, costs in (
        ("http", spent(before, between, singles)),
        ("lists", spent(between, after, listed)),
    ):
        found |= {f"cost.{case}.{key}": costs[key] for key in costs}
    return found


def in_process(site: Site, size: Size) -> dict[str, float]:
    """Call `notify()` and `notify_many()`, beside bare inserts."""
    populate(site, LIST)
    found = rows.measure(size.raw_rows)
    clear(site)
    times = []
    store(one_each(LIST))  # warm
    for each in one_each(size.notified):
        started = time.perf_counter()
        notify(**each, source="bench")
        times.append(1000 * (time.perf_counter() - started))
    started = time.perf_counter()
    posted = one_each(10 * size.notified)
    store(posted)
    each_ms = 1000 * (time.perf_counter() - started) / len(posted)
    _check(LIST + len(times) + len(posted))
    clear(site)
    cuts = statistics.quantiles(times, n=100)
    return {**found, "notify.p50": cuts[49], "notify.p99": cuts[98], "notify.listed": each_ms}


def _check(expected: int) -> None:
    if (stored := Event.objects.count()) != expected:
        raise Wrong(f"{stored} events stored, not {expected}")
