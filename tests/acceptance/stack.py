"""The whole system as processes: Redis, database, web, workers, beat, and a mail server."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from celery import Celery
from pytest_celery import (
    CeleryBrokerCluster,
    CeleryTestBroker,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

from servers.inbox import CaughtMessage, Inbox
from servers.process import Process, free_port, wait_until
from servers.redis import RedisServer
from tests.acceptance.containers import LocalContainer

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

TIMES = {
    "NOTIFIER_SWEEP_INTERVAL_S": "0.2",
    "NOTIFIER_BATCH_BUDGET_S": "1",
    "NOTIFIER_SEND_TIMEOUT_S": "1",
    "NOTIFIER_HARD_TIME_LIMIT_S": "4",
    "NOTIFIER_LEASE_S": "5",
    "NOTIFIER_BREAKER_PAUSE_S": "0.5",
}
"""Short, so that what takes minutes in production takes seconds here."""


class Processes:
    """Starts processes against one database, one Redis and one mail server, and ends them all."""

    def __init__(
        self, directory: Path, database_url: str, redis: RedisServer, smtp_port: int
    ) -> None:
        self.directory = directory
        self.redis = redis
        self.env = {
            **TIMES,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp_port}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default",
            "NOTIFIER_LOG_LEVEL": "INFO",
        }
        self.app = Celery("tests", broker=redis.url, set_as_current=False)
        self._processes: list[Process] = []
        self._workers: list[CeleryTestWorker] = []
        self._broker = CeleryTestBroker(
            LocalContainer(
                redis.process, {"url": redis.url, "host_url": redis.url}, "Ready to accept"
            ),
            self.app,
        )

    def run(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> Process:
        """Start a program of the environment, from the project's directory."""
        program = str(BIN / argv[0])
        process = Process(
            name,
            [program, *argv[1:]],
            directory=self.directory,
            env={**self.env, **(env or {})},
            working_directory=ROOT,
        )
        self._processes.append(process)
        return process

    def worker(
        self, name: str, *queues: str, env: Mapping[str, str] | None = None
    ) -> CeleryTestWorker:
        """Start a worker of some queues; `setup().ready()` waits for it."""
        process = self.run(
            name,
            *f"celery -A worker.app worker -Q {','.join(queues)} -n {name}@%h -c 1".split(),
            *["--without-gossip", "--without-mingle"],
            env=env,
        )
        container = LocalContainer(
            process, {"url": self.redis.url}, f"{name}@{socket.gethostname()} ready"
        )
        self._workers.append(CeleryTestWorker(container, self.app))
        return self._workers[-1]

    def retire(self, *workers: CeleryTestWorker) -> None:
        """Stop workers for good."""
        for worker in workers:
            worker.container.process.stop()
            self._workers.remove(worker)

    def beat(self, env: Mapping[str, str] | None = None) -> Process:
        """Start a beat."""
        name = f"beat-{len(self._processes)}"
        return self.run(name, "celery", "-A", "worker.app", "beat", env=env)

    def web(self) -> str:
        """Start a web server; return its URL once it serves."""
        port = free_port()
        process = self.run(
            "web", "gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{port}", "config.wsgi"
        )
        url = f"http://127.0.0.1:{port}"
        process.wait_until_ready(lambda: get(f"{url}/livez"))
        return url

    def standard(self) -> str:
        """Start a web server, a beat and two workers, all ready; return the web server's URL."""
        self.worker("events", "events", "maintenance")
        self.worker("media", "media.email", "media.sms")
        self.beat()
        url = self.web()
        self.setup()
        return url

    @property
    def processes(self) -> list[Process]:
        """Every process that was started."""
        return list(self._processes)

    @property
    def workers(self) -> list[CeleryTestWorker]:
        """Every worker that was started."""
        return list(self._workers)

    def setup(self) -> CeleryTestSetup:
        """Return brokers and workers as pytest-celery's clusters, ready."""
        setup = CeleryTestSetup(
            CeleryWorkerCluster(*self._workers),
            CeleryBrokerCluster(self._broker),
            None,
            self.app,
        )
        assert setup.ready(control=True)
        return setup

    def logs(self) -> str:
        """Return the end of every process's log."""
        return "\n".join(f"--- {each.name}\n{each.log()[-3000:]}" for each in self._processes)

    def stop(self) -> None:
        """End everything that this started; Redis and the mail server are the fixture's."""
        for process in self._processes:
            process.signal(15) if process.running else None
        for process in self._processes:
            process.stop(30)


class Stack(Processes):
    """The same with an inbox."""

    def __init__(
        self, directory: Path, database_url: str, redis: RedisServer, inbox: Inbox
    ) -> None:
        super().__init__(directory, database_url, redis, inbox.smtp_port)
        self.inbox = inbox

    def wait_for_mails(self, count: int, timeout_s: float = 30.0) -> list[CaughtMessage]:
        """Return the caught mails once there are so many; fail with what the logs say."""
        try:
            wait_until(
                lambda: len(self.inbox.messages()) >= count,
                timeout_s=timeout_s,
                what=f"the arrival of {count} mails",
            )
        except TimeoutError as error:
            found = len(self.inbox.messages())
            raise AssertionError(f"{error}; {found} came\n{self.logs()}") from error
        return self.inbox.messages()


def get(url: str) -> Any:
    """Return the JSON at a URL, or None where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)
    except OSError:
        return None


def post(url: str, token: str, body: object) -> Any:
    """Post JSON with a token; return the answer."""
    request = urllib.request.Request(
        f"{url}/api/v1/events",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait for a condition, or fail."""
    wait_until(condition, timeout_s=timeout_s, what=what)


def recipients(mails: Sequence[CaughtMessage]) -> list[str]:
    """Return whom each mail went to, sorted."""
    return sorted(address for mail in mails for address in mail["to"])
