"""Start a local program and end it, with everything it started, by process id."""

import os
import pwd
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import psutil

from servers.families import alive, members
from servers.waiting import free_port, wait_until
from servers.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Process", "ServerMissing", "free_port", "wait_until"]


class ServerMissing(RuntimeError):  # noqa: N818 - says what is wrong, as its message says what to do
    """No program to run: the message says what to install."""


class Process:
    """A program running in a session of its own, started by the constructor.

    `env` is added to this process's environment; output is appended to `<directory>/<name>.log`.
    `stop_signal` is what asks it to end. If this process dies first, a watcher ends the program.
    Raises OSError when the program cannot be started.
    """

    def __init__(
        self,
        name: str,
        argv: "Sequence[str]",
        *,
        directory: "Path",
        env: "Mapping[str, str] | None" = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        working_directory: "Path | None" = None,
    ) -> None:
        self.name = name
        self.argv = [*argv]
        self.log_path = directory / f"{name}.log"
        self._cwd = working_directory or directory
        self._env = {**os.environ, **(env or {})}
        self._user = user
        self._stop_signal = stop_signal
        self._start()

    def _start(self) -> None:
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                self.argv,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
        self._watcher = Watcher(self.pid, self._stop_signal)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, -N when signal N ended it, None while it runs."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        return self.returncode is None

    def log(self) -> str:
        """Return everything written to standard output and error so far, all restarts included."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_until_ready(self, ready: "Callable[[], object]", *, timeout_s: float = 30.0) -> None:
        """Poll until `ready` answers something true.

        Raises RuntimeError with the end of the log when the program ends instead, TimeoutError
        when time runs out.
        """

        def ready_or_ended() -> object:
            if not self.running:
                log = self.log()[-2000:]
                raise RuntimeError(f"{self.name} ended with exit code {self.returncode}:\n{log}")
            return ready()

        wait_until(ready_or_ended, timeout_s=timeout_s, what=f"{self.name} becoming ready")

    def wait(self, timeout_s: float) -> int:
        """Wait for the program to end by itself and return its exit code, or raise TimeoutError."""
        wait_until(lambda: not self.running, timeout_s=timeout_s, what=f"the end of {self.name}")
        return self._popen.wait()

    def signal(self, signum: int) -> None:
        """Send a signal to the program alone, not to what it started."""
        self._popen.send_signal(signum)

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask the program to end, wait `grace_s` seconds, then kill whatever is left of it."""
        family = self._family()
        self.signal(self._stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        self._kill([*family, *self._family()])

    def kill(self) -> None:
        """Kill the program and all it started, and wait until they are gone."""
        self._kill(self._family())

    def restart(self) -> None:
        """Stop the program if it runs, and start it again with the same arguments."""
        self.stop()
        self._start()

    def _family(self) -> list[psutil.Process]:
        """List what the program started: its descendants, and orphans in its process group."""
        found: set[psutil.Process] = set()
        with suppress(psutil.NoSuchProcess):
            if self.running:
                found.update(psutil.Process(self.pid).children(recursive=True))
        if self._group_is_ours():
            found.update(members(self.pid))
        return [*found]

    def _group_is_ours(self) -> bool:
        # A process with our number after ours was reaped is a stranger; while orphans are left in
        # the group, the kernel gives the number to nobody.
        return self.running or not psutil.pid_exists(self.pid)

    def _kill(self, family: list[psutil.Process]) -> None:
        if self._group_is_ours():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        wait_until(
            lambda: not any(alive(each) for each in family),
            timeout_s=10,
            what=f"the end of what {self.name} started",
        )
        self._watcher.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
