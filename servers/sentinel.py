"""A Redis with a replica and the sentinels that watch them, on loopback ports."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from servers.process import Process, wait_until
from servers.redis import RedisServer, find_redis_server
from servers.server import Server
from servers.waiting import listenable

MASTER = "mymaster"


class Sentinel(Server):
    """One sentinel; ready when it answers."""

    def __init__(
        self, directory: Path, name: str, *, watched_port: int, quorum: int, down_after_s: float
    ) -> None:
        self.port = listenable(None)
        config = directory / f"{name}.conf"  # a sentinel writes down there what it learns
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {directory.absolute()}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {watched_port} {quorum}\n"
            f"sentinel down-after-milliseconds {MASTER} {int(down_after_s * 1000)}\n"
            f"sentinel failover-timeout {MASTER} 10000\n"
        )
        argv = [str(find_redis_server()), str(config), "--sentinel"]
        self.process = Process(name, argv, directory=directory)
        self._wait_until_ready()

    def _answers(self) -> bool:
        return b"PONG" in ask(self.port, "PING")


def ask(port: int, command: str) -> bytes:
    """Return the beginning of a Redis's or sentinel's answer, b"" if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"{command}\r\n".encode())
            time.sleep(0.02)
            return connection.recv(65_536)
    except OSError:
        return b""


class SentinelCluster:
    """A master, a replica in step with it, and sentinels that know both."""

    def __init__(self, directory: Path, *, sentinels: int = 3, down_after_s: float = 1.0) -> None:
        self._stack = ExitStack()
        with ExitStack() as started:
            self.master = started.enter_context(RedisServer(_made(directory / "master")))
            of_master = ["--replicaof", "127.0.0.1", str(self.master.port)]
            self.replica = started.enter_context(
                RedisServer(_made(directory / "replica"), args=of_master)
            )
            self.sentinels = [
                started.enter_context(
                    Sentinel(
                        directory,
                        f"sentinel-{number}",
                        watched_port=self.master.port,
                        quorum=sentinels // 2 + 1,
                        down_after_s=down_after_s,
                    )
                )
                for number in range(sentinels)
            ]
            wait_until(self._in_step, timeout_s=30, what="the sentinels' knowing of all")
            self._stack = started.pop_all()

    @property
    def url(self) -> str:
        return ";".join(f"sentinel://127.0.0.1:{each.port}" for each in self.sentinels) + "/0"

    def master_port(self) -> int:
        """Return the port of the Redis that the first sentinel calls the master, 0 if it says none."""
        words = ask(self.sentinels[0].port, f"SENTINEL get-master-addr-by-name {MASTER}").split()
        return int(words[-1]) if words[-1:] and words[-1].isdigit() else 0

    def _in_step(self) -> bool:
        if b"master_link_status:up" not in ask(self.replica.port, "INFO replication"):
            return False
        others = f"sentinels={len(self.sentinels)}".encode()
        answers = [ask(each.port, "INFO sentinel") for each in self.sentinels]
        return all(b"slaves=1" in answer and others in answer for answer in answers)

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
