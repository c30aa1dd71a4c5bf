"""The spool: a bounded queue on disk, whoever shares it and however they end."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from notifier.client.events import Message, compose
from notifier.client.spool import Spool, spool_path, state_directory
from notifier.errors import SpoolFull, SpoolUnusable


def message(text: str = "x") -> Message:
    return compose({"description": text}, source="shop")


def spool_at(path: Path, *, most_events: int = 100, most_bytes: int = 10**6) -> Spool:
    return Spool(path / "spool.sqlite3", most_events=most_events, most_bytes=most_bytes)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return spool_at(tmp_path)


def waiting(spool: Spool) -> list[str]:
    return [each.message.event["description"] for each in spool.head(1000, 10**9)]


def test_what_is_added_comes_back_in_order_with_its_id(spool: Spool) -> None:
    added = [message(str(number)) for number in range(5)]
    assert not spool.waits()
    spool.add(added[:2])
    spool.add(added[2:])
    assert spool.waits()
    assert [each.message for each in spool.head(10, 10**6)] == added


def test_another_process_finds_it(spool: Spool, tmp_path: Path) -> None:
    spool.add([message("æøå 🎉")])
    assert waiting(spool_at(tmp_path)) == ["æøå 🎉"]


def test_a_batch_is_bounded_but_never_empty(spool: Spool) -> None:
    spool.add([message("x" * 100) for _ in range(3)])
    size = len(spool.head(1, 1)[0].message.body)
    assert len(spool.head(2, 10**6)) == 2
    assert len(spool.head(10, 2 * size)) == 2
    assert len(spool.head(10, 1)) == 1


def test_a_full_spool_takes_all_or_none(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, most_events=3)
    spool.add([message(), message()])
    with pytest.raises(
        SpoolFull, match=r"is full \(2 events, \d+ bytes\): what was to be posted is"
    ):
        spool.add([message(), message()])
    assert len(waiting(spool)) == 2
    spool.add([message()])
    spool.done(spool.head(1, 1))
    spool.add([message()])


def test_its_bytes_are_bounded_too(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, most_bytes=1000)
    with pytest.raises(SpoolFull):
        spool.add([message("x" * 1000)])
    spool.add([message("x" * 900)])
    with pytest.raises(SpoolFull):
        spool.add([message("x" * 100)])


def test_what_is_refused_holds_up_nothing_and_is_kept(spool: Spool) -> None:
    spool.add([message("a"), message("b")])
    first, second = spool.head(10, 10**6)
    spool.refuse(first, "recipients: nobody is called ann")
    assert waiting(spool) == ["b"]
    [kept] = spool.refused()
    assert (kept.id, kept.reason) == (str(first.message.id), "recipients: nobody is called ann")
    state = spool.state()
    assert (state.waiting, state.refused) == (1, 1)
    spool.done([second])
    assert not spool.waits()
    assert spool.retry(kept.number + 1) == 0
    assert spool.retry() == 1
    assert waiting(spool) == ["a"]
    assert spool.drop(kept.number) == 0  # it waits again
    spool.refuse(spool.head(1, 1)[0], "again")
    assert spool.drop(kept.number) == 1
    assert spool.state()[:3] == (0, 0, 0)


class BoundedQueue(RuleBasedStateMachine):
    """A spool, and what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.waits: list[str] = []
        self.refused: list[str] = []
        self.made = 0
        self.spool = spool_at(Path(self.home.name), most_events=8)

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = spool_at(Path(self.home.name), most_events=8)

    @rule(count=st.integers(1, 5))
    def add(self, count: int) -> None:
        names = [f"{self.made + each:05}" for each in range(count)]
        self.made += count
        if len(self.waits) + len(self.refused) + count <= 8:
            self.spool.add([message(name) for name in names])
            self.waits += names
        else:
            with pytest.raises(SpoolFull):
                self.spool.add([message(name) for name in names])

    @rule(count=st.integers(1, 5))
    def done(self, count: int) -> None:
        self.spool.done(self.spool.head(count, 10**6))
        del self.waits[:count]

    @rule(count=st.integers(1, 3))
    def refuse(self, count: int) -> None:
        for each in self.spool.head(count, 10**6):
            self.spool.refuse(each, "no")
        self.refused = sorted(self.refused + self.waits[:count])
        del self.waits[:count]

    @rule()
    def retry(self) -> None:
        assert self.spool.retry() == len(self.refused)
        self.waits, self.refused = sorted(self.waits + self.refused), []

    @rule(count=st.integers(1, 3))
    def drop(self, count: int) -> None:
        for each in self.spool.refused()[:count]:
            assert self.spool.drop(each.number) == 1
        del self.refused[:count]

    @invariant()
    def it_holds_what_it_must(self) -> None:
        assert waiting(self.spool) == self.waits
        assert self.spool.waits() == bool(self.waits)
        state = self.spool.state()
        assert (state.waiting, state.refused) == (len(self.waits), len(self.refused))
        assert bool(state.bytes) == bool(self.waits or self.refused)

    def teardown(self) -> None:
        self.spool.close()
        self.home.cleanup()


BoundedQueue.TestCase.settings = settings(deadline=None, max_examples=30, stateful_step_count=30)
TestBoundedQueue = BoundedQueue.TestCase


def test_threads_may_share_it(spool: Spool) -> None:
    def add(thread: int) -> None:
        for number in range(10):
            spool.add([message(f"{thread}-{number}")])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = waiting(spool)
    assert len(set(found)) == 80
    for thread in range(8):
        assert [each for each in found if each.startswith(f"{thread}-")] == [
            f"{thread}-{number}" for number in range(10)
        ]


ADDER = """
import sys
from pathlib import Path
from notifier.client.events import compose
from notifier.client.spool import Spool
spool = Spool(Path(sys.argv[1]), most_events=10**6, most_bytes=10**9)
for number in range(10**6):
    spool.add([compose({"description": f"{sys.argv[2]}-{number}"}, source="shop")])
    print(number, flush=True)
"""


def test_processes_may_share_it_and_be_killed(spool: Spool) -> None:
    """What a process was told is on disk, is; and none spoils the file for the others."""
    adders = [
        subprocess.Popen(
            [sys.executable, "-c", ADDER, str(spool.path), name], stdout=subprocess.PIPE, text=True
        )
        for name in "abcde"
    ]
    said: dict[str, int] = {}
    for name, each in zip("abcde", adders, strict=True):
        assert each.stdout
        for _ in range(20):
            each.stdout.readline()
        each.send_signal(signal.SIGKILL)
        rest = each.stdout.read().split()
        each.wait()
        each.stdout.close()
        said[name] = max([19, *map(int, rest)])
    found = [each.message.event["description"] for each in spool.head(10**6, 10**9)]
    for name, last in said.items():
        numbers = [int(each[2:]) for each in found if each.startswith(name)]
        assert numbers == list(range(len(numbers)))
        assert last + 1 <= len(numbers) <= last + 2
    assert spool.state().bytes == sum(len(each.message.body) for each in spool.head(10**6, 10**9))


@pytest.mark.parametrize("open_before", [True, False])
def test_a_fork_may_share_it(spool: Spool, open_before: bool) -> None:
    if open_before:
        spool.add([message("before")])
    child = os.fork()
    if child == 0:
        try:
            for number in range(20):
                spool.add([message(f"child-{number}")])
            os._exit(0)
        finally:
            os._exit(1)
    for number in range(20):
        spool.add([message(f"parent-{number}")])
    assert os.waitpid(child, 0)[1] == 0
    assert len(waiting(spool)) == 40 + open_before


def test_one_replays_at_a_time_until_it_ends(spool: Spool, tmp_path: Path) -> None:
    spool.add([message()])
    with spool.turn_to_replay() as ours, spool_at(tmp_path).turn_to_replay() as theirs:
        assert (ours, theirs) == (True, False)
    with spool_at(tmp_path).turn_to_replay() as theirs:
        assert theirs


def test_a_child_neither_takes_nor_ends_its_parents_turn(spool: Spool, tmp_path: Path) -> None:
    spool.add([message()])
    with spool.turn_to_replay():
        child = os.fork()
        if child == 0:
            with spool.turn_to_replay() as ours:
                os._exit(int(ours))
        assert os.waitpid(child, 0)[1] == 0
        with spool_at(tmp_path).turn_to_replay() as theirs:
            assert not theirs


def test_only_its_user_may_read_it(spool: Spool, tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "made" / "for it")
    spool.add([message()])
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700
    found = list(spool.path.parent.iterdir())
    assert len(found) == 3
    for each in found:
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_an_outage_leaves_no_large_file(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, most_events=10**4, most_bytes=10**8)
    spool.add([message("x" * 10_000) for _ in range(1000)])
    while batch := spool.head(100, 10**6):
        spool.done(batch)
    spool.shrink()
    spool.close()
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 100_000


def test_one_that_was_deleted_is_made_anew(spool: Spool) -> None:
    spool.add([message("lost")])
    for each in spool.path.parent.iterdir():
        each.unlink()
    spool.add([message("kept")])
    assert waiting(Spool(spool.path, most_events=10, most_bytes=10**6)) == ["kept"]


def test_a_corrupt_file_is_told_and_left_alone(spool: Spool) -> None:
    spool.path.write_bytes(b"garbage " * 1000)
    with pytest.raises(
        SpoolUnusable, match=r"spool\.sqlite3 can't be used: file is not a database"
    ):
        spool.add([message()])
    assert spool.path.read_bytes() == b"garbage " * 1000


def test_a_file_of_something_else_is_left_alone(spool: Spool) -> None:
    with sqlite3.connect(spool.path) as other:
        other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(SpoolUnusable, match="it is no spool of this version"):
        spool.waits()


def test_a_file_in_place_of_its_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match=r"can't be used: .*Errno"):
        spool_at(tmp_path / "file").waits()


def test_it_works_again_once_the_fault_is_mended(spool: Spool) -> None:
    spool.path.write_bytes(b"garbage " * 1000)
    with pytest.raises(SpoolUnusable):
        spool.waits()
    spool.path.unlink()
    assert not spool.waits()


def test_a_writer_that_hangs_is_waited_for_a_second(spool: Spool) -> None:
    spool.add([message()])
    other = sqlite3.connect(spool.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolUnusable, match="database is locked"):
        spool.add([message()])
    other.close()
    spool.add([message()])


def test_a_thread_that_hangs_in_it_is_waited_for_a_second(spool: Spool) -> None:
    spool.add([message("one")])
    inside, over = threading.Event(), threading.Event()

    def hang() -> None:
        with spool._database():
            inside.set()
            over.wait(5)

    thread = threading.Thread(target=hang)
    thread.start()
    inside.wait(30)
    try:
        with pytest.raises(SpoolUnusable, match="too many threads wait for it"):
            spool.add([message("two")])
    finally:
        over.set()
        thread.join()
    spool.add([message("two")])
    assert waiting(spool) == ["one", "two"]


def test_a_spool_belongs_to_a_source_and_a_way(tmp_path: Path) -> None:
    def name(directory: Path | None, source: str | None, kind: str, origin: str) -> Path:
        return spool_path(directory, source=source, kind=kind, origin=origin)

    here = name(tmp_path, "shop", "redis", "redis://a/0")
    assert here == name(tmp_path, "shop", "redis", "redis://b/0")  # Redis has moved
    assert here.parent == tmp_path
    others = {
        name(tmp_path, "bank", "redis", "redis://a/0"),
        name(tmp_path, None, "redis", "redis://a/0"),
        name(tmp_path, "shop", "http", "https://a/"),
        name(tmp_path, "a/../b", "redis", "redis://a/0"),
    }
    assert len(others | {here}) == 5
    assert all(each.parent == tmp_path for each in others)


def test_without_a_directory_it_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_directory() == tmp_path / "notifier"
    one, other = (
        spool_path(None, source="shop", kind="redis", origin=origin)
        for origin in ("redis://a/0", "redis://b/0")
    )
    assert one != other
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/anna")
    assert state_directory() == Path("/home/anna/.local/state/notifier")
