"""Local processes in the dress of the containers that pytest-celery's nodes drive.

There need be no Docker: the node and cluster API only asks for a container's surface.
"""

from __future__ import annotations

import signal as signals
from typing import Any

from pytest_celery import CeleryTestContainer

from servers.process import Process, wait_until


class LocalContainer(CeleryTestContainer):  # type: ignore[misc] # pytest-celery has no types
    """One process; ready when its log says so."""

    def __init__(self, process: Process, config: dict[str, str], prompt: str = "") -> None:
        # not the base class's own: that one wants Docker
        self.process = process
        self._config = config
        self._prompt = prompt

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def id(self) -> str:
        return f"{self.process.name}-{self.process.pid}"

    @property
    def status(self) -> str:
        return "running" if self.process.running else "exited"

    @property
    def celeryconfig(self) -> dict[str, str]:
        return dict(self._config)

    def ready(self) -> bool:
        """Wait until the log shows the prompt, once per start."""
        self.process.wait_until_ready(lambda: self._prompt in self.process.log())
        return True

    def logs(self) -> str:
        return self.process.log()

    def reload(self) -> None:
        """Nothing to do: the status is always asked of the process."""

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """End all of it by SIGKILL, as Docker does; send another signal to the main process."""
        number = getattr(signals, signal) if isinstance(signal, str) else signal
        if number == signals.SIGKILL:
            self.process.kill()
        else:
            self.process.signal(number)

    def restart(self, timeout: float = 10) -> None:
        """Stop and start; ready when the prompt appears once more."""
        before = self.process.log().count(self._prompt)
        self.process.stop(timeout)
        self.process.restart()
        wait_until(
            lambda: self.process.log().count(self._prompt) > before,
            timeout_s=30,
            what=f"the restart of {self.name}",
        )

    def teardown(self) -> None:
        self.process.stop()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a local process has no {name}")
