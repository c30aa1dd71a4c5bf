"""100,000 events that wait, drained by workers whose memory is looked at before and after."""

from __future__ import annotations

import signal
from contextlib import closing

from redis import Redis

from bench import usage
from bench.filling import clear, one_each, populate, store
from bench.pipeline import running
from bench.site import Site
from bench.sizes import Size

PEOPLE = 500
"""With two profiles each."""
LIST = 1000


def measure(site: Site, size: Size) -> dict[str, float]:
    """Let events wait while the workers are stopped; return the rate of draining, and MiB."""
    populate(site, PEOPLE, "null")
    count = size.endured
    with running(site, "null") as pipeline:
        workers = {part: pipeline.workers[part] for part in ("events", "medium")}
        clear(site)
        found = {f"idle.{part}": usage.child_mib(each) for part, each in workers.items()}
        found |= {f"idle.{part}.whole": usage.own_mib(each) for part, each in workers.items()}
        for each in pipeline.workers.values():
            each.signal(signal.SIGSTOP)
        store(one_each(count, PEOPLE), LIST)
        with closing(Redis.from_url(site.redis_url)) as redis:
            found["backlog.redis"] = redis.info("memory")["used_memory"] / 2**20

        def drain() -> None:
            for each in pipeline.workers.values():
                each.signal(signal.SIGCONT)

        run = pipeline.run(count, drain, emptied=False)
        found |= {f"after.{part}": usage.child_mib(each) for part, each in workers.items()}
    found["idle"] = max(found["idle.events"], found["idle.medium"])
    growth = max(found[f"after.{part}"] / found[f"idle.{part}"] for part in workers)
    return {**found, "after.growth": 100 * (growth - 1), "backlog.drained": run.rate}
