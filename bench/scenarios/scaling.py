"""More workers where sending is slow, more recipients, and task events."""

from __future__ import annotations

import math
import time
from contextlib import closing

from celery import Celery

from bench.filling import GROUP, Wrong, clear, populate, store, to_groups
from bench.pipeline import running
from bench.site import Site
from bench.sizes import Size
from notifier.delivering.dispatching import dispatch
from notifier.media.registry import get_medium
from notifier.models import Delivery, Gate

SLOW_S = 0.05
SETTLE_S = 2.0
"""Until the sweep has found what waits, and one worker has nudged the next."""
SPARE = 1.3


def slow_mail(site: Site, size: Size) -> dict[str, float]:
    """Measure 1, 2 and 4 mail workers against a mail server that takes 50 ms for each mail."""
    return _slow(site, size, "email")


def slow_webhook(site: Site, size: Size) -> dict[str, float]:
    """Measure the same of webhooks."""
    return _slow(site, size, "webhook")


def _slow(site: Site, size: Size, medium: str) -> dict[str, float]:
    populate(site, GROUP, medium)
    most = get_medium(medium).CONCURRENCY / SLOW_S
    found = {}
    for count in size.workers:
        clear(site)
        paused = Gate.objects.create(medium=medium, paused=True)
        needed = SPARE * count * most * (size.worker_window_s + SETTLE_S)
        store(to_groups(math.ceil(needed / GROUP) + count))
        while dispatch()["events"]:
            pass
        with running(site, medium, count, warm=False):
            site.sink.answer_after(SLOW_S)
            paused.delete()
            found[f"workers.{medium}.{count}"] = _rate(site, size.worker_window_s)
    clear(site)
    return found


def _rate(site: Site, window_s: float) -> float:
    """Return the messages a second within a window, once all workers have begun."""
    time.sleep(SETTLE_S)
    first, began = site.sink.tally(), time.monotonic()
    time.sleep(window_s)
    last, seconds = site.sink.tally(), time.monotonic() - began
    if last.messages != last.distinct:
        raise Wrong(f"{last.messages} messages with {last.distinct} ids")
    if not Delivery.objects.filter(state=Delivery.State.PENDING).exists():
        raise Wrong("nothing was left to send before the window ended")
    return (last.messages - first.messages) / seconds


def recipients(site: Site, size: Size) -> dict[str, float]:
    """Tell one event to 1, 10, … people by mail; return notifications a second for each."""
    steps = size.recipients

    def group(number: int) -> str:
        return str(next(step for step in steps if number < step))

    populate(site, steps[-1], group=group)
    found = {}
    with running(site, "email") as pipeline:
        for number, step in enumerate(steps):
            groups = [str(each) for each in steps[: number + 1]]
            run = pipeline.run(step, lambda groups=groups: store(to_groups(1, groups)))  # type: ignore[misc]
            found[f"recipients.{step}"] = run.rate
    return found


def task_events(site: Site, size: Size) -> dict[str, float]:
    """Measure the same fan-out with task events off and on, by turns."""
    populate(site, GROUP)
    count, times = size.events_on, {"off": 0.0, "on": 0.0}
    with (
        running(site, "email", app="bench.quiet") as pipeline,
        closing(Celery("bench.control", broker=site.redis_url, set_as_current=False)) as app,
    ):
        for _ in range(2):
            for word, switch in (
                ("off", app.control.disable_events),
                ("on", app.control.enable_events),
            ):
                switch(reply=True)
                run = pipeline.run(count * GROUP, lambda: store(to_groups(count)))
                times[word] += run.seconds
    return {f"events.{word}": 2 * count * GROUP / seconds for word, seconds in times.items()}
