"""The programs of the demo: started side by side, watched, and ended together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from demo.interrupts import Interrupts
from demo.surroundings import ROOT
from servers.inbox import Inbox
from servers.process import Process, wait_until
from servers.redis import RedisServer

START_TIMEOUT_S = 60.0
SHOWN_LOG_LINES = 8

CELERY = (sys.executable, "-m", "celery", "-A", "worker.app")


class PartFailed(RuntimeError):  # noqa: N818 - says what is wrong
    """A program did not do its part: a sentence that names it, and the end of its log."""

    def __init__(self, sentence: str, part: Part | None = None) -> None:
        super().__init__(sentence)
        lines = part.process.log().strip().splitlines() if part else []
        self.log = "\n".join(lines[-SHOWN_LOG_LINES:])


@dataclass
class Part:
    """One program: what it is here for, and how it is known to be ready."""

    name: str
    role: str
    process: Process
    answers: Callable[[], object] = bool
    """Answers something true once it is ready."""
    ready: bool = False


class Parts:
    """All programs; leaving the block ends them, whatever happened in it."""

    redis: RedisServer
    inbox: Inbox

    def __init__(self, directory: Path, interrupts: Interrupts) -> None:
        self.all: list[Part] = []
        self._directory = directory
        self._interrupts = interrupts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them: their data goes the same moment, so an orderly end would save nothing."""
        self._interrupts.ignore()
        if self.all:
            with ThreadPoolExecutor(len(self.all)) as pool:
                list(pool.map(lambda part: part.process.kill(), self.all))

    def start_servers(self) -> None:
        """Start Redis and the inbox, whose addresses the others need."""
        try:
            with self._interrupts.held():
                self.redis = RedisServer(self._directory)
                self.all.append(
                    Part("Redis", "holds what waits to be done", self.redis.process, ready=True)
                )
            with self._interrupts.held():
                self.inbox = Inbox(self._directory)
                self.all.append(
                    Part("inbox", "catches every mail and SMS", self.inbox.process, ready=True)
                )
        except (OSError, RuntimeError) as error:
            raise PartFailed(str(error)) from error

    def start(
        self,
        name: str,
        role: str,
        *argv: str,
        ready: Callable[[], object],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start a program in the project's directory; don't wait for it."""
        with self._interrupts.held():
            log_name = name.replace(" ", "-")
            process = Process(
                log_name, argv, directory=self._directory, env=env, working_directory=ROOT
            )
            self.all.append(Part(name, role, process, ready))

    def start_worker(self, name: str, role: str, queues: str) -> None:
        """Start a Celery worker of one process for some queues."""
        options = ("-c", "1", "--without-gossip", "--without-mingle", "-n", f"{name}@%h")
        label = f"{name} worker"
        self.start(
            label,
            role,
            *(*CELERY, "worker", "-Q", queues, *options),
            ready=lambda: " ready." in self[label].process.log(),
            env={"NOTIFIER_LOG_LEVEL": "INFO"},  # else it would not say so
        )

    def __getitem__(self, name: str) -> Part:
        return next(part for part in self.all if part.name == name)

    def check(self) -> None:
        """Raise `PartFailed` where a program has ended."""
        for part in self.all:
            if not part.process.running:
                raise PartFailed(
                    f"{part.name} ended with exit code {part.process.returncode}.", part
                )

    def wait_until_ready(self) -> None:
        """Wait for all of them; raise `PartFailed` for one that ends or takes too long."""
        try:
            wait_until(self._all_ready, timeout_s=START_TIMEOUT_S, what="the start", poll_s=0.05)
        except TimeoutError as error:
            late = next(part for part in self.all if not part.ready)
            sentence = f"{late.name} was not ready after {START_TIMEOUT_S:.0f} s."
            raise PartFailed(sentence, late) from error

    def _all_ready(self) -> bool:
        self.check()
        for part in self.all:
            part.ready = part.ready or bool(part.answers())
        return all(part.ready for part in self.all)
