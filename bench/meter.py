"""What a run costs: CPU time by process, and what the servers write and are asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from django.db import connection
from redis import Redis

from bench import usage
from bench.site import Site
from notifier.models import Attempt, Delivery, Event
from servers.process import Process

ROWS = (Event, Delivery, Attempt)
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads counters that only grow, so that two readings tell what lay between."""

    site: Site
    processes: Mapping[str, Process]

    def read(self) -> dict[str, float]:
        """Return CPU milliseconds by process, WAL bytes, commits, Redis commands and bytes."""
        all_processes = {**self.processes, **self.site.servers}
        found = {f"cpu.{part}": 1000 * usage.cpu_s(each) for part, each in all_processes.items()}
        found["cpu.producer"] = 1000 * time.process_time()
        return found | _redis(self.site) | _database()

    def memory(self) -> dict[str, float]:
        """Return the MiB of each process with its children."""
        processes = {**self.processes, **self.site.servers}
        return {f"memory.{part}": usage.own_mib(each) for part, each in processes.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float], count: int) -> dict[str, float]:
    """Return what lay between two readings, for each of `count`."""
    return {key: (after[key] - before[key]) / count for key in after}


def _redis(site: Site) -> dict[str, float]:
    with closing(Redis.from_url(site.redis_url)) as redis:
        said = {**redis.info("stats"), **redis.info("cpu")}
    return {
        # the kernel's own count goes by hundredths of a second
        "cpu.redis": 1000 * (said["used_cpu_sys"] + said["used_cpu_user"]),
        "redis.commands": float(said["total_commands_processed"]),
        "redis.bytes": float(said["total_net_input_bytes"] + said["total_net_output_bytes"]),
    }


def _database() -> dict[str, float]:
    if connection.vendor != "postgresql":
        return {}
    tables = [model._meta.db_table for model in ROWS]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), xact_commit, "
            "(SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name) "
            "FROM pg_stat_database WHERE datname = current_database()",
            [tables],
        )
        wal, commits, rows = cursor.fetchone()
    return {
        "database.wal": float(wal),
        "database.commits": float(commits),
        "database.rows": float(rows),
    }
