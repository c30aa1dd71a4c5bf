"""Processes end when told to, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from servers.process import Process, free_port, wait_until

ROOT = Path(__file__).parent.parent.parent

# A program that has a child in its group, and one in a session of its own.
FAMILY = """
import subprocess, sys, time
children = [subprocess.Popen(["sleep", "600"], start_new_session=own) for own in (False, True)]
print(*[child.pid for child in children], flush=True)
time.sleep(600)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


def python(name: str, source: str, directory: Path) -> Process:
    return Process(name, [sys.executable, "-c", source], directory=directory)


def printed(process: Process) -> str:
    return wait_until(process.log, timeout_s=20, what="output")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_ending_a_process_leaves_no_child_behind(tmp_path: Path, ending: str) -> None:
    process = python("family", FAMILY, tmp_path)
    pids = [int(pid) for pid in printed(process).split()]
    getattr(process, ending)()
    assert [pid for pid in [process.pid, *pids] if not gone(pid)] == []


def test_orphans_of_a_process_that_ended_by_itself_are_ended_too(tmp_path: Path) -> None:
    process = python("short", FAMILY.replace("time.sleep(600)", ""), tmp_path)
    in_group, in_own_session = (int(pid) for pid in printed(process).split())
    assert process.wait(20) == 0
    process.stop()
    assert gone(in_group)
    os.kill(in_own_session, signal.SIGKILL)  # nothing ties it to us any more


def test_a_process_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = python("deaf", DEAF, tmp_path)
    printed(process)
    process.stop(grace_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    with python("twice", "print('ready', flush=True); input()", tmp_path) as process:
        process.stop()
        process.stop()
    assert not process.running


def test_a_restarted_process_appends_to_its_log(tmp_path: Path) -> None:
    source = "import time; print('started', flush=True); time.sleep(600)"
    with python("again", source, tmp_path) as process:
        printed(process)
        first = process.pid
        process.restart()
        wait_until(lambda: process.log().count("started") == 2, timeout_s=20, what="restart")
        assert process.pid != first


def test_the_environment_is_added_to_ours(tmp_path: Path) -> None:
    process = Process(
        "env", ["sh", "-c", "echo $COLOUR $PATH"], directory=tmp_path, env={"COLOUR": "blue"}
    )
    assert process.wait(20) == 0
    process.stop()
    assert process.log().strip() == f"blue {os.environ['PATH']}"


def test_a_program_that_ends_while_awaited_reports_its_log(tmp_path: Path) -> None:
    message = r"broken ended with exit code 1:\nno such table"
    with (
        python("broken", "raise SystemExit('no such table')", tmp_path) as process,
        pytest.raises(RuntimeError, match=message),
    ):
        process.wait_until_ready(lambda: False)


def test_a_process_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    source = f"""
import sys, time
from pathlib import Path
from servers.process import Process
child = Process("child", ["sleep", "600"], directory=Path({str(tmp_path)!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: gone(pid), timeout_s=10, what="the child's end")


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"the moon did not happen within 0\.1 s"):
        wait_until(lambda: False, timeout_s=0.1, what="the moon")


def test_waiting_returns_the_answer() -> None:
    assert wait_until(lambda: "yes", timeout_s=0.1, what="an answer") == "yes"


def test_a_free_port_is_none_that_clients_get() -> None:
    assert 20_000 <= free_port() < 32_000


DRAWING = """
import secrets, sys
drawn = iter(map(int, sys.argv[1:]))
secrets.randbelow = lambda _below: next(drawn) - 20_000
from servers.process import free_port
print(free_port())
"""


def test_a_port_is_given_to_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    given, other = free_port(), free_port()
    drawn = iter([given, 32_000])
    monkeypatch.setattr("secrets.randbelow", lambda _below: next(drawn) - 20_000)
    assert free_port() != given
    argv = [sys.executable, "-c", DRAWING, str(given), str(other), "32001"]
    found = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "32001"
