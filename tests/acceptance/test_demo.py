"""The demo: what a newcomer runs first, on a machine where nothing is set up."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from demo.checking import Message, compare, load_expected, read
from demo.story import load_events
from servers.caught import read_message
from servers.families import alive
from servers.process import wait_until

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 90
READY = "Ready."
SITE = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/production",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "smtp://127.0.0.1:1",
    "SEND_NOTIFICATIONS": "false",
    "NOTIFIER_TIME_ZONE": "Nowhere",
    "GUNICORN_CMD_ARGS": "--no-such-option",
}
"""What somebody may have set for a site of theirs, and the demo must not use."""


@contextmanager
def demo(directory: Path, *flags: str, **extra: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo with next to no environment; its output goes to `directory`/output.

    Whatever it starts has TMPDIR, a directory below `directory`, in its environment.
    """
    temporary = directory / "tmp"
    temporary.mkdir()
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", *flags],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(temporary)} | extra,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def output(directory: Path) -> str:
    return (directory / "output").read_text()


def started_from(directory: Path) -> list[psutil.Process]:
    """Return the processes that live in the demo's own temporary directory, the demo included."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if str(directory / "tmp") in process.environ().get("TMPDIR", "") and alive(process):
                found.append(process)
    return found


def assert_nothing_is_left(directory: Path) -> None:
    assert started_from(directory) == []
    assert [*(directory / "tmp").iterdir()] == []


def until_ready(process: subprocess.Popen[str], directory: Path) -> None:
    wait_until(
        lambda: READY in output(directory) or process.poll() is not None,
        timeout_s=TIMEOUT_S,
        what="the demo being ready",
    )
    assert READY in output(directory), output(directory)


def test_once_sends_exactly_what_is_expected_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--once") as process:
        code = process.wait(TIMEOUT_S)
    assert code == 0, output(tmp_path)
    assert "exactly the 7 expected messages arrived" in output(tmp_path)
    assert "timeslot “Office hours” is closed at Sat 03:12" in output(tmp_path)
    assert "\x1b" not in output(tmp_path)
    assert_nothing_is_left(tmp_path)


def test_ctrl_c_is_the_way_to_end_it_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, **SITE) as process:
        until_ready(process, tmp_path)
        assert len(started_from(tmp_path)) > 7  # else the look at the end would see nothing either
        process.send_signal(signal.SIGINT)
        code = process.wait(TIMEOUT_S)
    assert code == 0, output(tmp_path)
    assert_nothing_is_left(tmp_path)


def test_a_signal_while_it_starts_ends_it_as_interrupted(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        wait_until(lambda: len(started_from(tmp_path)) > 4, timeout_s=TIMEOUT_S, what="the start")
        process.send_signal(signal.SIGTERM)
        code = process.wait(TIMEOUT_S)
    assert code == 130, output(tmp_path)
    assert_nothing_is_left(tmp_path)


def test_when_a_worker_is_killed_it_says_which_and_ends_the_others(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until_ready(process, tmp_path)
        leaders = [each for each in started_from(tmp_path) if each.ppid() == process.pid]
        worker = next(each for each in leaders if "media.email,media.sms" in each.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
        code = process.wait(TIMEOUT_S)
    assert code == 1
    assert "media worker ended with exit code -9" in output(tmp_path)
    assert_nothing_is_left(tmp_path)


def test_a_server_that_does_not_start_is_named(tmp_path: Path) -> None:
    with demo(tmp_path, REDIS_SERVER="/bin/false") as process:
        code = process.wait(TIMEOUT_S)
    assert code == 1
    assert "redis ended with exit code 1" in output(tmp_path)
    assert "Traceback" not in output(tmp_path)
    assert_nothing_is_left(tmp_path)


def test_the_check_finds_what_is_missing_and_what_is_too_much() -> None:
    expected = load_expected()
    assert compare(expected, reversed(expected)) == []
    lost, *rest = expected
    wrong = lost._replace(to="ben@nordic.example")
    assert [each.partition(":")[0] for each in compare(expected, [wrong, *rest])] == [
        "missing",
        "too much",
    ]


def test_the_check_finds_a_message_sent_twice() -> None:
    expected = load_expected()
    assert compare(expected, [*expected, expected[0]]) == [
        f"too much: sms to {expected[0].to}: “{expected[0].says}”"
    ]


def test_a_mail_is_known_by_its_first_line_and_an_sms_by_its_text() -> None:
    mail = read_message(
        "a@b.example", ["anna@nordic.example"], b"Subject: Disk\r\n\r\nDisk full\r\nLong"
    )
    sms = read_message(
        "a@b.example", ["sms+4790909090@gateway.example"], b"Subject:\r\n\r\nFull\r\n"
    )
    assert read([mail, sms]) == [
        Message("anna@nordic.example", "email", "Disk full"),
        Message("sms+4790909090@gateway.example", "sms", "Full"),
    ]


@pytest.mark.parametrize("day", range(1, 15))
def test_whenever_it_runs_the_outage_is_at_night_and_its_end_in_office_hours(day: int) -> None:
    for now in (dt.datetime(2026, 3, day, hour, 59, tzinfo=dt.UTC) for hour in (0, 22, 23)):
        times = [dt.datetime.fromisoformat(event["timestamp"]) for event in load_events(now)]
        assert f"{times[0]:%a %R}" == "Sat 03:12"
        assert f"{times[-1]:%a %R}" == "Mon 08:30"
        assert times == sorted(times)
        assert dt.timedelta(0) < now - times[-1] < dt.timedelta(days=9)
