"""How many queries a batch takes, at two sizes: they must not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.filling import clear, one_each, populate, store, to_groups
from bench.site import Site
from bench.sizes import Size
from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.models import Attempt

SMALL, LARGE = 10, 100
CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "SET ")


def measure(site: Site, _size: Size) -> dict[str, float]:
    """Count dispatch's and deliver's queries, in this process, once all is loaded."""
    populate(site, LARGE, "null")
    store(one_each(1))
    dispatch(), deliver("null", worker="bench")  # warm
    found: dict[str, float] = {}
    for size in (SMALL, LARGE):
        clear(site)
        store([*one_each(size // 2), *to_groups(size - size // 2)])
        found[f"queries.dispatch.{size}"] = len(_asked(dispatch))
        clear(site)
        store(one_each(size))
        dispatch()
        blocks = list(_blocks(_captured(lambda: deliver("null", worker="bench"))))
        flushes = [block for block in blocks if any(map(_records, block))]
        rest = [sql for block in blocks if block not in flushes for sql in block]
        found[f"queries.claim.{size}"] = len(rest)
        found[f"queries.flush.{size}"] = max(map(len, flushes))
    clear(site)
    return found


def _captured(work: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [each["sql"].lstrip() for each in captured]


def _asked(work: Callable[[], Any]) -> list[str]:
    return [sql for sql in _captured(work) if not sql.startswith(CONTROL)]


def _blocks(asked: list[str]) -> Iterator[list[str]]:
    """Yield transactions, and what stands between two of them, without what only controls them."""
    block: list[str] = []
    for sql in asked:
        if sql.startswith(("BEGIN", "COMMIT")):
            yield block
            block = []
        elif not sql.startswith(CONTROL):
            block.append(sql)
    yield block


def _records(sql: str) -> bool:
    return sql.startswith("INSERT") and Attempt._meta.db_table in sql
