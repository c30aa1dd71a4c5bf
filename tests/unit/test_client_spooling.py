"""The bare client while Redis or the server is away: what it can't post, it keeps and posts later."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import pools

from notifier.client import Notifier
from notifier.client.__main__ import main
from notifier.client.replaying import LONGEST_WAIT_S, waits_s
from notifier.errors import InvalidEvent, QueueUnavailable, SpoolFull, SpoolUnusable
from notifier.ids import event_id_for
from notifier.testing.scripted_http import Script, answer, scripted_http
from servers.process import free_port, wait_until
from servers.redis import RedisServer
from tests.unit.queued import queued

PATH = "/api/v1/events"
TAKEN = (answer(202),)
AT_MOST_S = 5.0
"""What `send` promises."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may end, hang and start again."""
    with RedisServer(tmp_path) as server:
        yield server
    pools.reset()


@pytest.fixture
def notifier(server: RedisServer, tmp_path: Path) -> Iterator[Notifier]:
    with Notifier(server.url, source="shop", spool=tmp_path / "spool") as notifier:
        yield notifier


def refused(code: int, field: str, message: str) -> Script:
    body = json.dumps({"detail": "no", "errors": [{"field": field, "message": message}]}).encode()
    return (answer(code, "Content-Type: application/problem+json", body=body),)


def texts(server: RedisServer) -> list[str]:
    return [event["description"] for _, event in queued(server.url)]


def test_what_was_sent_meanwhile_is_posted_afterwards_in_order(
    notifier: Notifier, server: RedisServer
) -> None:
    ids = [notifier.send("0", source_event_id="0")]
    server.stop()
    ids += [notifier.send(str(number)) for number in range(1, 5)]
    ids += notifier.send_many([{"description": "5"}, {"description": "6"}])
    assert notifier.spooled().waiting == 6
    server.restart()
    assert notifier.flush()
    ids.append(notifier.send("7"))
    assert texts(server) == [str(number) for number in range(1, 8)]  # it kept nothing itself
    by_id = [message_id for message_id, _ in queued(server.url)]
    assert by_id == [str(each) for each in ids[1:]]


def test_once_it_is_known_to_be_away_nobody_waits_for_it(
    notifier: Notifier, server: RedisServer
) -> None:
    server.process.signal(signal.SIGSTOP)
    try:
        times = []
        for _ in range(50):
            start = time.monotonic()
            notifier.send("x")
            times.append(time.monotonic() - start)
    finally:
        server.process.signal(signal.SIGCONT)
    assert times[0] < AT_MOST_S
    assert sum(times[1:]) < 2
    assert notifier.flush()
    assert len({message_id for message_id, _ in queued(server.url)}) == 50


def test_threads_that_send_as_it_begins_to_hang_wait_no_longer(
    notifier: Notifier, server: RedisServer
) -> None:
    times: list[float] = []

    def send() -> None:
        start = time.monotonic()
        notifier.send("x")
        times.append(time.monotonic() - start)

    notifier.send("before")
    server.process.signal(signal.SIGSTOP)
    try:
        threads = [threading.Thread(target=send) for _ in range(30)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        server.process.signal(signal.SIGCONT)
    assert max(times) < AT_MOST_S + 1  # two cores, shared
    assert len(times) == 30
    assert notifier.flush()
    assert len({message_id for message_id, _ in queued(server.url)}) == 31


def test_an_event_without_a_name_keeps_its_time_and_one_with_a_name_its_body(
    notifier: Notifier, server: RedisServer
) -> None:
    """The repeats of a named event must have its very body."""
    notifier.send("unnamed")
    notifier.send("named", source_event_id="7")
    (_, unnamed), (_, named) = queued(server.url)
    assert unnamed["timestamp"].startswith("20")
    assert "timestamp" not in named


def test_the_next_process_posts_what_one_left(server: RedisServer, tmp_path: Path) -> None:
    server.stop()
    script = (
        "import sys; from notifier.client import Notifier\n"
        "notifier = Notifier(sys.argv[1], source='shop', spool=sys.argv[2])\n"
        "for number in range(20): notifier.send(str(number))\n"
        "print('spooled', flush=True); import time; time.sleep(60)"
    )
    argv = [sys.executable, "-c", script, server.url, str(tmp_path / "spool")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "spooled\n"
        process.kill()
    server.restart()
    with Notifier(server.url, source="shop", spool=tmp_path / "spool") as notifier:
        assert notifier.flush()  # nothing was sent
    assert texts(server) == [str(number) for number in range(20)]


def test_a_process_killed_as_it_replays_posts_again_and_loses_nothing(
    server: RedisServer, tmp_path: Path
) -> None:
    with Notifier(f"redis://127.0.0.1:{free_port()}/0", source="shop", spool=tmp_path) as away:
        ids = [away.send(str(number)) for number in range(1000)]
    script = (
        "import sys; from notifier.client import Notifier\n"
        "notifier = Notifier(sys.argv[1], source='shop', spool=sys.argv[2])\n"
        "print('up', flush=True); import time; time.sleep(60)"
    )
    for pause_s in (0.0, 0.02, 0.05, 0.1):
        argv = [sys.executable, "-c", script, server.url, str(tmp_path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(pause_s)
            process.kill()
    with Notifier(server.url, source="shop", spool=tmp_path) as notifier:
        assert notifier.flush()
    found = [message_id for message_id, _ in queued(server.url)]
    assert list(dict.fromkeys(found)) == [str(each) for each in ids]


def test_a_prefork_server_spools_and_replays_from_any_child(
    notifier: Notifier, server: RedisServer
) -> None:
    server.stop()
    notifier.send("parent")  # its thread runs, and holds the turn
    children = []
    for name in "ab":
        if (child := os.fork()) == 0:
            try:
                for number in range(10):
                    notifier.send(f"{name}{number}")
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(each, 0)[1] for each in children] == [0, 0]
    assert notifier.spooled().waiting == 21
    server.restart()
    assert notifier.flush()
    found = texts(server)
    assert len(found) == 21
    assert [each for each in found if each[0] == "a"] == [f"a{number}" for number in range(10)]


def test_a_child_replays_when_its_parent_is_gone(server: RedisServer, tmp_path: Path) -> None:
    server.stop()
    script = (
        "import os, sys, time; from notifier.client import Notifier\n"
        "notifier = Notifier(sys.argv[1], source='shop', spool=sys.argv[2])\n"
        "notifier.send('parent')\n"
        "if os.fork(): os._exit(0)\n"
        "notifier.send('child'); print('sent', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", script, server.url, str(tmp_path / "spool")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "sent\n"
        server.restart()
        wait_until(lambda: texts(server) == ["parent", "child"], timeout_s=20, what="both")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_script_posts_what_waits_before_it_ends(server: RedisServer, tmp_path: Path) -> None:
    """As cron runs it: one event, and an end at once."""
    with Notifier(f"redis://127.0.0.1:{free_port()}/0", source="shop", spool=tmp_path) as away:
        away.send("of yesterday")
    script = (
        "import sys; from notifier.client import Notifier\n"
        "Notifier(sys.argv[1], source='shop', spool=sys.argv[2]).send('of today')"
    )
    subprocess.run(
        [sys.executable, "-c", script, server.url, str(tmp_path)], check=True, timeout=30
    )
    assert texts(server) == ["of yesterday", "of today"]


def test_a_script_ends_soon_while_redis_is_away(tmp_path: Path) -> None:
    script = (
        "import sys; from notifier.client import Notifier\n"
        "with Notifier(sys.argv[1], source='shop', spool=sys.argv[2]) as it: it.send('x')"
    )
    url = f"redis://127.0.0.1:{free_port()}/0"
    start = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", script, url, str(tmp_path)],
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert time.monotonic() - start < AT_MOST_S + 5  # with Python's own start
    assert "Traceback" not in ended.stderr


def test_a_full_spool_is_told_and_takes_no_part(server: RedisServer, tmp_path: Path) -> None:
    server.stop()
    with Notifier(server.url, source="shop", spool=tmp_path, spool_events=3) as notifier:
        notifier.send("0")
        with pytest.raises(SpoolFull, match=r"is full \(1 events"):
            notifier.send_many([{"description": "x"}] * 3)
        notifier.send_many([{"description": "1"}, {"description": "2"}])
        start = time.monotonic()
        with pytest.raises(QueueUnavailable):
            notifier.send("3")
        assert time.monotonic() - start < 1
        server.restart()
        assert notifier.flush()
        notifier.send("4")
    assert texts(server) == ["0", "1", "2", "4"]


@pytest.mark.parametrize("how", ["corrupt", "not writable", "no directory"])
def test_a_spool_that_cannot_be_used_ends_no_import_and_stands_in_no_way(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    spool: Path = tmp_path / "spool"
    if how == "corrupt":
        Notifier(server.url, source="shop", spool=spool).close()
        [path] = spool.glob("*.sqlite3")
        path.write_bytes(b"garbage " * 1000)
    elif how == "not writable":
        spool = Path("/proc/spool")  # root may write anywhere else
    else:
        spool.write_text("a file")
    notifier = Notifier(server.url, source="shop", spool=spool)
    assert "can't be used: " in caplog.text
    assert "without it, nothing is kept while Redis is away" in caplog.text
    notifier.send("posted all the same")
    assert len(caplog.records) == 1
    server.stop()
    with pytest.raises(SpoolUnusable, match=r"can't be used: .*; and Redis can't be reached"):
        notifier.send("lost, and said so")
    notifier.close()


def test_a_full_disk_is_told(
    notifier: Notifier, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    notifier.send("x")
    assert notifier._spool
    with notifier._spool._database() as database:
        database.execute("PRAGMA max_page_count = 1").fetchone()  # as SQLite sees a full disk
    with pytest.raises(SpoolUnusable, match="database or disk is full; and others wait in it"):
        notifier.send_many([{"description": "x" * 10_000}] * 5)
    notifier.send("there is room again")  # it was opened anew
    server.restart()
    assert notifier.flush()
    assert texts(server) == ["x", "there is room again"]


def test_what_the_server_refuses_is_set_aside_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Notifier(url, source="shop", token="t", spool=tmp_path) as away:
        away.send_many([{"description": str(each), "source_event_id": str(each)} for each in "abc"])
    no = refused(422, "recipients[0]", "nobody is called ann")
    # all three at once; then each by itself
    answers: list[Script] = [no, TAKEN, no, TAKEN]
    with (
        scripted_http({PATH: answers}) as site,
        Notifier(site.url("/"), source="shop", token="t", spool=tmp_path) as notifier,
    ):
        assert notifier.flush()
        notifier.send("d")
        [aside] = notifier.refused()
        assert aside.id == str(event_id_for("shop", "b"))
        assert aside.reason == "recipients[0]: nobody is called ann"
        assert notifier.spooled()[:2] == (0, 1)

        assert main(["--directory", str(tmp_path)]) == 1
        shown = capsys.readouterr().out
        assert "0 waiting" in shown
        assert "1 refused" in shown
        assert f"{aside.number}  event {aside.id}: recipients[0]: nobody is" in shown

        assert notifier.retry_refused() == 1
        assert notifier.flush()
        assert notifier.refused() == []
    sent = [json.loads(each.body) for each in site.requests]
    assert [each["description"] for each in sent[1:]] == ["a", "b", "c", "d", "b"]


def test_a_revoked_token_refuses_no_event_for_good(tmp_path: Path) -> None:
    with (
        scripted_http({PATH: [(answer(401),), (answer(401),), TAKEN]}) as site,
        Notifier(site.url("/"), source="shop", token="t", spool=tmp_path) as notifier,
    ):
        notifier.send("x")
        assert notifier.flush()
        assert notifier.refused() == []
    assert len(site.requests) == 3


def test_a_server_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    later = (answer(503, "Retry-After: 2"),)
    with (
        scripted_http({PATH: [later, later, TAKEN]}) as site,
        Notifier(site.url("/"), source="shop", token="t", spool=tmp_path) as notifier,
    ):
        notifier.send("x")
        wait_until(lambda: len(site.requests) == 3, timeout_s=20, what="the third try")
    assert site.requests[2].at_s - site.requests[1].at_s >= 2


def test_a_spool_is_looked_after_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--directory", str(tmp_path)]
    assert main(where) == 0
    url = f"http://127.0.0.1:{free_port()}"
    with Notifier(url, source="shop", token="t", spool=tmp_path) as away:
        away.send_many([{"description": "a"}, {"description": "b"}])
        assert away._spool
        for each in away._spool.head(2, 10**6):
            away._spool.refuse(each, "because")
        first, second = away.refused()
    assert main([*where, "drop", str(first.number)]) == 0
    assert main([*where, "retry", str(second.number)]) == 0
    assert "1 dropped." in capsys.readouterr().out
    assert main([*where, "show"]) == 1
    assert "1 waiting (the oldest for " in capsys.readouterr().out
    next(tmp_path.glob("*.sqlite3")).write_text("garbage " * 1000)
    assert main(where) == 1
    assert "can't be used" in capsys.readouterr().err


def test_the_log_says_once_that_it_waits_and_once_that_it_is_over(
    notifier: Notifier, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="notifier")
    server.stop()
    for _ in range(3):
        notifier.send("S3CR3T")
    time.sleep(2.5)  # several tries
    server.restart()
    assert notifier.flush()
    wait_until(lambda: len(caplog.messages) == 2, timeout_s=5, what="both lines")
    began, ended = caplog.messages
    assert began.startswith("Redis can't be reached (OperationalError); events wait in the spool")
    assert ended.startswith("3 events that waited in the spool")
    assert "S3CR3T" not in caplog.text


def test_bulk_names_each_field_by_its_event(notifier: Notifier) -> None:
    with pytest.raises(InvalidEvent) as refused:
        notifier.send_many(
            [{"description": "x"}, {"description": "", "level": 9}, {"colour": 1}, 5]  # type: ignore[list-item]
        )
    said = [str(each) for each in refused.value.problems]
    said[2] = said[2].partition(" description")[0]
    assert said == [
        "[1].description: must say what happened",
        "[1].level: must be a number from 1 (critical) to 5 (information)",
        "[2].colour: unknown field; known are",
        "[3].event: must be a mapping of what send() takes",
    ]


@pytest.mark.parametrize(
    "events",
    [[{"description": "x"}] * 1001, [{"description": "x" * 16_000}] * 300],
)
def test_bulk_is_bounded(notifier: Notifier, events: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidEvent, match=r"^events: .* at most 1,000 of 4,194,304 bytes at once"):
        notifier.send_many(events)


def test_bulk_reaches_redis_as_one_message_each(notifier: Notifier, server: RedisServer) -> None:
    ids = notifier.send_many({"description": str(number)} for number in range(1000))
    assert [message_id for message_id, _ in queued(server.url)] == [str(each) for each in ids]


def test_without_a_spool_nothing_is_kept_and_nothing_written(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    server.stop()
    with Notifier(server.url, source="shop") as notifier, pytest.raises(QueueUnavailable):
        notifier.send("x")
    assert notifier.flush()
    assert (notifier.refused(), notifier.retry_refused()) == ([], 0)
    assert notifier.spooled() == (0, 0, 0, 0.0)
    assert not (tmp_path / "state").exists()


def test_tries_come_further_and_further_apart() -> None:
    waits = waits_s()
    found = [next(waits) for _ in range(20)]
    assert 0.3 < found[0] <= 0.5
    assert all(each <= LONGEST_WAIT_S for each in found)
    assert found[-1] >= 0.7 * LONGEST_WAIT_S


def test_no_secret_is_in_what_people_see(tmp_path: Path) -> None:
    url = f"redis://user:S3CR3T@127.0.0.1:{free_port()}/0"
    with Notifier(url, source="shop", spool=tmp_path) as notifier:
        notifier.send("x")
        assert repr(notifier).startswith("<Notifier of shop to redis://127.0.0.1:")
        files = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"S3CR3T" not in files
    assert "S3CR3T" not in repr(notifier)
