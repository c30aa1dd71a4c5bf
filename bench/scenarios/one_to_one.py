"""Events that one person is told of each, from the first post to the last message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.filling import GROUP, one_each, populate, store
from bench.pipeline import costs, running
from bench.raw import tasks
from bench.site import Site
from bench.sizes import Size
from notifier import notify


def measure(site: Site, size: Size) -> dict[str, float]:
    """Measure mail, posted singly and in lists, and a medium that does nothing, beside bare Celery."""
    count = size.one_each
    found = tasks.measure(site, size.raw_tasks)
    populate(site, GROUP)
    with running(site, "email") as pipeline:
        single = pipeline.run(count, lambda: post_singly(one_each(count)))
        listed = pipeline.run(count, lambda: store(one_each(count)))
    populate(site, GROUP, "null")
    with running(site, "null") as pipeline:
        null = pipeline.run(count, lambda: store(one_each(count)))
    return {
        **found,
        "one.mail.single": single.rate,
        "one.mail.listed": listed.rate,
        "one.null": null.rate,
        **costs("single", single),
        **costs("one", listed),
        **costs("null", null),
    }


def post_singly(posted: Sequence[Mapping[str, Any]]) -> None:
    """Post by `notify()`, one event after the other."""
    for each in posted:
        notify(**each, source="bench")
