"""A private PostgreSQL on a loopback port: `python -m servers.postgresql -- COMMAND ARG…`."""

import os
import secrets
import shutil
import signal
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import sql

from servers.postgresql_cluster import (
    create_cluster,
    free_shared_memory,
    home_for,
    programs_for,
)
from servers.postgresql_programs import find_postgresql
from servers.process import Process, ServerMissing
from servers.running import run_command
from servers.server import Server
from servers.unprivileged import stand_in_for_root
from servers.waiting import listenable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PostgresServer", "find_postgresql"]


class PostgresServer(Server):
    """A PostgreSQL with one superuser, `notifier`, ready when the constructor returns.

    Unless `durable`, nothing is forced to disk: fast, and lost with the machine. `args` are further
    arguments of `postgres`. Root runs it as another user, with the data in the system's temporary
    directory when that user cannot reach `directory`; the log is always in `directory`.
    Raises ServerMissing, RuntimeError with the reason when it does not start, TimeoutError, OSError
    for a taken port. `stop` keeps the data, `close` and the end of a `with` remove it.
    """

    start_limit_s = 60.0

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        args: "Sequence[str]" = (),
        durable: bool = False,
    ) -> None:
        self.port = listenable(port)
        self._user = stand_in_for_root()
        self._programs = programs_for(self._user)
        self._password = secrets.token_urlsafe(16)
        self._home = home_for(self._user, directory)
        self._data = self._home / "data"
        self._remove_home = weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        try:
            create_cluster(self._programs, self._data, user=self._user, password=self._password)
            self.process = self._start(directory, _settings(self.port, durable=durable), args)
            self._wait_until_ready()
            self.create_database("notifier")
        except BaseException:
            self.close()
            raise

    def url(self, database: str = "notifier") -> str:
        return (
            f"postgres://notifier:{self._password}@127.0.0.1:{self.port}/{quote(database, safe='')}"
        )

    def create_database(self, name: str) -> None:
        """Create an empty database; raises psycopg.errors.DuplicateDatabase if it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def close(self) -> None:
        """Stop it and remove the data; harmless when repeated."""
        if hasattr(self, "process"):
            self.process.stop()
        free_shared_memory(self._data)
        self._remove_home()

    def _start(self, directory: Path, settings: dict[str, str], args: "Sequence[str]") -> Process:
        flat = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Process(
            "postgresql",
            [str(self._programs / "postgres"), "-D", str(self._data), *flat, *args],
            directory=directory,
            env={"LC_ALL": "C"},
            user=self._user,
            stop_signal=signal.SIGINT,  # SIGTERM would wait for every client to leave
            working_directory=self._home,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _settings(port: int, *, durable: bool) -> dict[str, str]:
    # synchronous_commit stays on: without it a SIGKILL of the server alone loses commits.
    on = "on" if durable else "off"
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "100",
        "fsync": on,
        "full_page_writes": on,
        "dynamic_shared_memory_type": "mmap",  # in the data directory: removed with it, even after kill
    }


def main(argv: list[str]) -> int:
    """Run a command with DATABASE_URL naming a fresh server, and return its exit code."""
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        sys.stderr.write("usage: python -m servers.postgresql -- COMMAND ARG…\n")
        return 2

    def environment(server: PostgresServer) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": server.url()}

    with tempfile.TemporaryDirectory(prefix="postgresql-") as directory:
        try:
            return run_command(command, lambda: PostgresServer(Path(directory)), environment)
        except ServerMissing as missing:
            sys.stderr.write(f"{missing}\n")
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
