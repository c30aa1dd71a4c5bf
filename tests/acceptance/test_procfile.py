"""The Procfile, really run: every process, a private Redis, SQLite."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pytest_django.fixtures import Settings

from servers.families import alive
from servers.process import Process, free_port
from servers.redis import RedisServer
from worker.queues import CeleryQueue

ROOT = Path(__file__).parents[2]
LOGIN = "FLOWER_BASIC_AUTH"
HONCHO = (sys.executable, "-m", "honcho")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def environment(tmp_path: Path, redis: RedisServer) -> dict[str, str]:
    """Return what `make .env` writes, with Redis, database and ports of this test's own."""
    made = subprocess.run(
        [sys.executable, "deploy/make_env.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line for line in made.stdout.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines) | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/notifier.sqlite3",
        "REDIS_URL": redis.url,
        "PORT": str(free_port()),
        "FLOWER_PORT": str(free_port()),
    }


@pytest.fixture
def shell() -> dict[str, str]:
    """Return what a developer's shell has: the programs, and none of the tests' settings."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "DJANGO_SETTINGS_MODULE": "config.settings"}


def start(
    *processes: str, environment: dict[str, str], shell: dict[str, str], directory: Path
) -> Process:
    """Start honcho in the checkout, with this environment as its `.env`."""
    env_file = directory / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    argv = [*HONCHO, "-e", str(env_file), "start", *processes]
    return Process("honcho", argv, directory=directory, env=shell, working_directory=ROOT)


def status(port: str, path: str, *, login: str = "") -> int:
    """Return a page's HTTP status, 0 while nobody listens."""
    headers = {}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def started_with(redis_url: str) -> list[psutil.Process]:
    """Return the processes that have this test's Redis in their environment."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get("REDIS_URL") == redis_url:
                found.append(each)
    return found


def test_everything_starts_is_guarded_and_ends(
    environment: dict[str, str],
    shell: dict[str, str],
    redis: RedisServer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.NOTIFIER_REDIS_URL = redis.url
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT,
        env={**os.environ, **shell, **environment},
        check=True,
    )
    with start(environment=environment, shell=shell, directory=tmp_path) as honcho:
        honcho.wait_until_ready(lambda: status(environment["PORT"], "/readyz") == 200)
        honcho.wait_until_ready(lambda: all(CeleryQueue().consumers().values()))
        flower = environment["FLOWER_PORT"]
        honcho.wait_until_ready(lambda: status(flower, "/healthcheck") == 200)

        assert status(flower, "/tasks") == 401
        assert status(flower, "/api/tasks") == 401
        assert status(flower, "/tasks", login="notifier:wrong") == 401
        assert status(flower, "/tasks", login=environment[LOGIN]) == 200
        assert status(flower, "/api/tasks", login=environment[LOGIN]) == 200

        started = started_with(redis.url)
        password = environment[LOGIN].partition(":")[2]
        assert len(started) >= 6
        assert not [each for each in started if password in " ".join(each.cmdline())]
        honcho.signal(signal.SIGTERM)
        honcho.wait(timeout_s=30)
        assert not [each for each in started_with(redis.url) if alive(each)]


@pytest.mark.parametrize("value", [None, ""])
def test_flower_does_not_start_without_a_password(
    value: str | None, environment: dict[str, str], shell: dict[str, str], tmp_path: Path
) -> None:
    del environment[LOGIN]
    if value is not None:
        environment[LOGIN] = value
    with start("flower", environment=environment, shell=shell, directory=tmp_path) as honcho:
        assert honcho.wait(timeout_s=20) != 0
    assert "set FLOWER_BASIC_AUTH=user:password" in honcho.log()
    assert status(environment["FLOWER_PORT"], "/healthcheck") == 0
