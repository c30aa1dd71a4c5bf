"""A whole Notifier for one run: its own Redis, database, sink, and processes of each kind."""

from __future__ import annotations

import http.client
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from bench.sink import Sink
from servers.postgresql import PostgresServer
from servers.process import Process, free_port, wait_until
from servers.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
EVENTS_QUEUES = "events,maintenance"
MEDIA = (
    "notifier.media.email.EmailNotification",
    "notifier.media.webhook.WebhookNotification",
    "bench.null.NullNotification",
)
SERVING = ("--workers", "2", "--threads", "4", "--no-control-socket")
"""As the Procfile has it."""
START_LIMIT_S = 180.0
"""A machine that is busy with tests takes its time."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is running, and where; `environment` is that of every process of Notifier."""

    directory: Path
    environment: dict[str, str]
    redis_url: str
    smtp_port: int
    http_port: int
    sink: Sink
    servers: dict[str, Process]
    """`redis`, `sink`, and `database` where it is one: for their CPU time."""

    def run(self, stack: ExitStack, name: str, module: str, *args: str) -> Process:
        """Run a Python module in the site's environment; killed in the end, to save time."""
        process = Process(
            name,
            [sys.executable, "-m", module, *args],
            directory=self.directory,
            env=self.environment,
            working_directory=ROOT,
        )
        stack.callback(process.kill)
        return process

    def start_web(self, stack: ExitStack) -> tuple[Process, int]:
        """Start gunicorn; return it and its port."""
        port = free_port()
        web = self.run(
            stack, "web", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", *SERVING
        )
        web.wait_until_ready(lambda: _answers(port, "/livez"), timeout_s=START_LIMIT_S)
        return web, port

    def start_workers(
        self, stack: ExitStack, slug: str, count: int = 1, *, app: str = "worker.app"
    ) -> dict[str, Process]:
        """Start a worker for events and maintenance, `count` for a medium, and beat."""
        from notifier.queueing import get_queue, media_queue  # noqa: PLC0415 - needs Django

        queue = media_queue(slug)
        workers = {"events": self.start_celery(stack, "events", EVENTS_QUEUES, app=app)}
        for number in range(count):
            name = f"medium{number or ''}"
            workers[name] = self.start_celery(stack, name, queue, app=app)
        options = ("-A", "worker.app", "beat", "-l", "WARNING", "--pidfile=")
        workers["beat"] = self.run(stack, "beat", "celery", *options)
        wanted = {**dict.fromkeys(EVENTS_QUEUES.split(","), 1), queue: count}
        wait_until(
            lambda: wanted.items() <= get_queue().consumers().items(),
            timeout_s=START_LIMIT_S,
            what="every worker consuming",
        )
        return workers

    def start_celery(
        self, stack: ExitStack, name: str, queues: str, *, app: str, pool: str = "prefork"
    ) -> Process:
        """Start a Celery worker with one child process, or with none in the pool `solo`."""
        options = ["-Q", queues, "-c", "1", "-P", pool, "-n", f"{name}@bench", "-l", "WARNING"]
        options += ["--without-gossip", "--without-mingle"]
        return self.run(stack, name, "celery", "-A", app, "worker", *options)


def start(stack: ExitStack, directory: Path, database: str) -> Site:
    """Start the servers and take their addresses into this process's environment too.

    PostgreSQL runs with `fsync`: accepted means durable here as it does in production.
    """
    redis = stack.enter_context(RedisServer(directory))
    servers = {"redis": redis.process}
    url = f"sqlite:///{directory / 'notifier.sqlite3'}"
    if database == "postgresql":
        postgres = stack.enter_context(PostgresServer(directory, durable=True))
        servers["database"] = postgres.process
        url = postgres.url()
    smtp_port, http_port, control_port = free_port(), free_port(), free_port()
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "NOTIFIER_FINGERPRINT_KEY": secrets.token_urlsafe(48),
        "NOTIFIER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "NOTIFIER_HTTPS": "false",
        "NOTIFIER_LOG_LEVEL": "ERROR",
        "NOTIFIER_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFIER_HTTP_ALLOWED_PORTS": str(http_port),
        "MEDIA_PLUGINS": ",".join(MEDIA),
        "DATABASE_URL": url,
        "REDIS_URL": redis.url,
        "EMAIL_URL": f"smtp://127.0.0.1:{smtp_port}",
    }
    os.environ.update(environment)
    sink = Sink(control_port)
    site = Site(directory, environment, redis.url, smtp_port, http_port, sink, servers)
    ports = map(str, (smtp_port, http_port, control_port))
    servers["sink"] = site.run(stack, "sink", "bench.sink", *ports)
    servers["sink"].wait_until_ready(_quietly(sink.tally))
    return site


def _quietly(ask: Callable[[], object]) -> Callable[[], bool]:
    def answered() -> bool:
        try:
            return bool(ask())
        except OSError:
            return False

    return answered


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
