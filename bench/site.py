"""A whole Notifier for one run: its own Redis, database, mail sink, and processes of each kind."""

from __future__ import annotations

import http.client
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from servers.postgresql import PostgresServer
from servers.process import Process, free_port, wait_until
from servers.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
EVENTS_QUEUES = "events,maintenance"
EMAIL_QUEUE = "media.email"


@dataclass(frozen=True, slots=True)
class Site:
    """What is running, and where; `environment` is that of every process of Notifier."""

    directory: Path
    environment: dict[str, str]
    redis_url: str
    smtp_port: int
    count_port: int
    servers: dict[str, Process]
    """Redis, and PostgreSQL where there is one: for their CPU time."""


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
    smtp_port, count_port = free_port(), free_port()
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "NOTIFIER_FINGERPRINT_KEY": secrets.token_urlsafe(48),
        "NOTIFIER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "NOTIFIER_HTTPS": "false",
        "DATABASE_URL": url,
        "REDIS_URL": redis.url,
        "EMAIL_URL": f"smtp://127.0.0.1:{smtp_port}",
    }
    os.environ.update(environment)
    site = Site(directory, environment, redis.url, smtp_port, count_port, servers)
    counting = run(stack, site, "sink", "bench.sink", str(smtp_port), str(count_port))
    counting.wait_until_ready(lambda: _answers(count_port, "/"))
    return site


def run(stack: ExitStack, site: Site, name: str, module: str, *args: str) -> Process:
    """Run a Python module of this environment in the site's; killed in the end, to save time."""
    process = Process(
        name,
        [sys.executable, "-m", module, *args],
        directory=site.directory,
        env=site.environment,
        working_directory=ROOT,
    )
    stack.callback(process.kill)
    return process


def start_web(stack: ExitStack, site: Site) -> tuple[Process, int]:
    """Start gunicorn with two processes; return it and its port."""
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "2"]
    web = run(stack, site, "web", "gunicorn", "config.wsgi", *options)
    web.wait_until_ready(lambda: _answers(port, "/livez"))
    return web, port


def start_workers(stack: ExitStack, site: Site) -> dict[str, Process]:
    """Start one worker for events and maintenance, one for mail, and beat."""
    from notifier.queueing import get_queue  # noqa: PLC0415 - needs Django, set up after `start`

    workers = {
        "events": start_celery(stack, site, "events", "worker.app", EVENTS_QUEUES),
        "email": start_celery(stack, site, "email", "worker.app", EMAIL_QUEUE),
    }
    options = ["-A", "worker.app", "beat", "-l", "WARNING", "--pidfile="]
    beat = run(stack, site, "beat", "celery", *options)
    served = [*EVENTS_QUEUES.split(","), EMAIL_QUEUE]
    wait_until(
        lambda: set(served) <= {name for name, n in get_queue().consumers().items() if n},
        timeout_s=60,
        what="both workers consuming",
    )
    return workers | {"beat": beat}


def start_celery(stack: ExitStack, site: Site, name: str, app: str, queues: str) -> Process:
    """Start a Celery worker with one child process."""
    options = ["-Q", queues, "-c", "1", "-n", f"{name}@bench", "-l", "WARNING"]
    options += ["--without-gossip", "--without-mingle"]
    return run(stack, site, name, "celery", "-A", app, "worker", *options)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
