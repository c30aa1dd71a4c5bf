"""How fast a loop is, and what each round of it costs."""

from __future__ import annotations

import time
from collections.abc import Callable


def timed(key: str, count: int, work: Callable[[], object]) -> dict[str, float]:
    """Return how often per second `work`, that does it `count` times, does something.

    Also this process's CPU milliseconds for each: they hold on a busy machine too.
    """
    started, cpu = time.monotonic(), time.process_time()
    work()
    cpu_ms = 1000 * (time.process_time() - cpu) / count
    return {key: count / (time.monotonic() - started), f"{key}.cpu": cpu_ms}
