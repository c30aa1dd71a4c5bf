"""A private Redis, and where its program comes from."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from servers import packages
from servers.process import Process, ServerMissing
from servers.redis import RedisServer, find_redis_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


def write_and_read(server: RedisServer, key: str) -> bytes | None:
    """Set a key, unless it is there, and return what was there."""
    with Redis.from_url(server.url) as client:
        found = client.get(key)
        client.set(key, "value")
    assert found is None or isinstance(found, bytes)
    return found


def test_it_answers_and_never_evicts(server: RedisServer) -> None:
    assert write_and_read(server, "key") is None
    assert write_and_read(server, "key") == b"value"
    with Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_it_restarts_empty(server: RedisServer, ending: str) -> None:
    write_and_read(server, "key")
    getattr(server, ending)()
    server.restart()
    assert write_and_read(server, "key") is None


def test_with_an_append_only_file_it_restarts_full(tmp_path: Path) -> None:
    with RedisServer(tmp_path, appendonly=True) as server:
        write_and_read(server, "key")
        server.restart()
        assert write_and_read(server, "key") == b"value"


def test_it_leaves_no_process(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        pid = server.process.pid
    assert not psutil.pid_exists(pid)


def test_a_taken_port_is_refused(server: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        RedisServer(tmp_path, port=server.port)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"redis ended with exit code 1:\n(.|\n)*no-such-option"):
        RedisServer(tmp_path, args=["--no-such-option", "1"])


def test_a_further_argument_reaches_it(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path, args=["--databases", "3"]) as server,
        Redis.from_url(server.url) as client,
    ):
        assert client.config_get("databases") == {"databases": "3"}


@pytest.fixture
def nothing_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "wheel_directory", lambda _: None)


@pytest.mark.usefixtures("nothing_to_be_had")
def test_with_nothing_to_be_had_it_says_what_to_install() -> None:
    with pytest.raises(ServerMissing, match=r"redis-server.*valkey.*brew install redis"):
        find_redis_server()


@pytest.mark.usefixtures("nothing_to_be_had")
def test_as_root_it_installs_the_package_and_stops_its_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[str] = []

    def install(package: str) -> bool:
        done.append(f"install {package}")
        (tmp_path / "redis-server").touch(mode=0o755)
        return True

    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(packages, "disable_service", lambda name: done.append(f"disable {name}"))
    assert find_redis_server() == tmp_path / "redis-server"
    assert done == ["install redis-server", "disable redis-server"]


def test_valkey_does_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "valkey-server").touch(mode=0o755)
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server() == tmp_path / "valkey-server"


def test_a_named_program_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SERVER", "/no/such/program")
    with pytest.raises(ServerMissing, match="REDIS_SERVER is /no/such/program"):
        find_redis_server()


def test_a_process_that_cannot_start_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Process("nothing", ["/no/such/program"], directory=tmp_path)


def test_two_at_once_install_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    most: list[int] = []

    def run(_command: list[str]) -> bool:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return True

    monkeypatch.setattr(packages, "_run", run)
    threads = [threading.Thread(target=packages.install, args=("redis-server",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_a_system_without_the_program_service_has_no_service_to_stop() -> None:
    assert not packages._run(["no-such-program"])
