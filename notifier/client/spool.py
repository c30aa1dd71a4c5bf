"""Events on disk while they can't be posted: a bounded queue in SQLite, shared between processes."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from notifier.client import forking
from notifier.client.events import Message
from notifier.client.locking import ProcessLock
from notifier.errors import QueueUnavailable, SpoolFull, SpoolUnusable

T = TypeVar("T")

SUFFIX = ".sqlite3"
BUSY_S = 1.0
"""Nobody waits longer for another process that writes, nor for this one's other threads."""
_VERSION = 1
"""What the schema sets as well."""
_PAGES_AT_ONCE = 250
_GLANCE_MS = 10
_PAUSE_S = 0.002
_SCHEMA = """
BEGIN;
CREATE TABLE spooled (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    spooled_at REAL NOT NULL,
    refused TEXT
);
CREATE INDEX waiting ON spooled (seq) WHERE refused IS NULL;
CREATE TABLE held (events INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO held VALUES (0, 0);
CREATE TRIGGER more AFTER INSERT ON spooled BEGIN
    UPDATE held SET events = events + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER fewer AFTER DELETE ON spooled BEGIN
    UPDATE held SET events = events - 1, bytes = bytes - old.bytes;
END;
PRAGMA user_version = 1;
COMMIT;
"""
_WAITING = "FROM spooled WHERE refused IS NULL"


_abandoned: list[sqlite3.Connection] = []


class Spooled(NamedTuple):
    """A row that waits."""

    seq: int
    message: Message


class Refused(NamedTuple):
    """An event that the server refused, and why; `number` is what to call it by."""

    number: int
    id: str
    reason: str
    event: str


class SpoolState(NamedTuple):
    """How much a spool holds; `oldest_s` is the age of what waits longest, in seconds."""

    waiting: int
    refused: int
    bytes: int
    oldest_s: float


class Spool:
    """A queue on disk; threads, processes and forks may share it.

    Every method raises `SpoolUnusable` where the file can't be read or written. Rows that were
    refused stay, and count, until somebody has dealt with them.
    """

    def __init__(self, path: Path, *, most_events: int, most_bytes: int) -> None:
        self.path = path
        self._most = most_events, most_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._replaying = ProcessLock(path.with_suffix(".lock"))
        forking.mind(self)

    def waits(self) -> bool:
        """Whether anything waits to be posted."""
        with self._database() as database:
            return database.execute(f"SELECT 1 {_WAITING} LIMIT 1").fetchone() is not None

    def add(self, messages: Sequence[Message]) -> None:
        """Write messages down, all or none: on disk when this returns. Raises `SpoolFull`."""
        now = time.time()
        rows = [(str(each.id), each.body, len(each.body), now) for each in messages]
        with self._transaction() as database:
            events, size = database.execute("SELECT events, bytes FROM held").fetchone()
            most_events, most_bytes = self._most
            if events + len(rows) > most_events or size + sum(row[2] for row in rows) > most_bytes:
                raise SpoolFull(
                    f"the spool {self.path} is full ({events:,} events, {size:,} bytes): what was to "
                    "be posted is not kept. `python -m notifier.client` shows what it holds"
                )
            database.executemany(
                "INSERT INTO spooled (id, body, bytes, spooled_at) VALUES (?, ?, ?, ?)", rows
            )

    def head(self, most_events: int, most_bytes: int) -> list[Spooled]:
        """Return what waits longest, in order: one at least, and no more than that."""
        found: list[Spooled] = []
        left = most_bytes
        with self._database() as database:
            query = f"SELECT seq, id, body {_WAITING} ORDER BY seq LIMIT ?"
            for seq, event_id, body in database.execute(query, (most_events,)):
                left -= len(body)
                if found and left < 0:
                    break
                found.append(Spooled(seq, Message.read(event_id, body)))
        return found

    def done(self, spooled: Sequence[Spooled]) -> None:
        """Forget what was posted."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM spooled WHERE seq = ?", [(each.seq,) for each in spooled]
            )

    def refuse(self, spooled: Spooled, reason: str) -> None:
        """Set an event aside that the server refuses, so that it holds up no other."""
        with self._transaction() as database:
            database.execute(
                "UPDATE spooled SET refused = ? WHERE seq = ?", (reason[:2000], spooled.seq)
            )

    def refused(self) -> list[Refused]:
        """Return what was set aside, oldest first."""
        with self._database() as database:
            rows = database.execute(
                "SELECT seq, id, refused, body FROM spooled WHERE refused IS NOT NULL ORDER BY seq"
            )
            return [Refused(*row) for row in rows]

    def retry(self, number: int | None = None) -> int:
        """Let what was refused, or one of it, be posted again; return how many."""
        with self._transaction() as database:
            return database.execute(
                "UPDATE spooled SET refused = NULL "
                "WHERE refused IS NOT NULL AND (? IS NULL OR seq = ?)",
                (number, number),
            ).rowcount

    def drop(self, number: int) -> int:
        """Delete an event that was refused; return how many there were."""
        with self._transaction() as database:
            return database.execute(
                "DELETE FROM spooled WHERE refused IS NOT NULL AND seq = ?", (number,)
            ).rowcount

    def state(self) -> SpoolState:
        """Return how much it holds."""
        with self._database() as database:
            waiting, oldest = database.execute(
                f"SELECT count(*), min(spooled_at) {_WAITING}"
            ).fetchone()
            events, size = database.execute("SELECT events, bytes FROM held").fetchone()
        age = max(time.time() - oldest, 0.0) if oldest else 0.0
        return SpoolState(waiting, events - waiting, size, age)

    def shrink(self) -> None:
        """Give the disk back what an outage took, in steps that hold nobody up."""
        free = 1
        while free:
            with self._database() as database:
                database.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
                free = database.execute("PRAGMA freelist_count").fetchone()[0]

    @contextmanager
    def turn_to_replay(self) -> Iterator[bool]:
        """Whether it is this one's turn to replay: one does among all processes, so in order."""
        try:
            ours = self._replaying.acquire()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield ours
        finally:
            if ours:
                self._replaying.release()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def before_fork(self) -> None:
        """Close it: neither SQLite's connections nor its locks survive a fork."""
        self._lock.acquire()
        self.close()

    def after_fork(self, *, child: bool) -> None:
        """Go on in both."""
        if not child:
            self._lock.release()
            return
        self._lock = threading.RLock()
        if self._connection is not None:
            _abandoned.append(self._connection)  # to close it would be the parent's harm
            self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._database() as database:
            _begin(database)
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=BUSY_S):
            raise SpoolUnusable(
                f"the spool {self.path} can't be used: too many threads wait for it"
            )
        try:
            if self._connection is not None and self._file != _identity(self.path):
                self.close()  # somebody has moved or deleted it under our feet
            if self._connection is None:
                self._connection = _patiently(lambda: _open(self.path))
                self._file = _identity(self.path)
            yield self._connection
        except QueueUnavailable:  # an OSError, too
            raise
        except (sqlite3.Error, OSError, ValueError) as error:
            raise self._unusable(error) from error
        finally:
            self._lock.release()

    def _unusable(self, error: Exception) -> SpoolUnusable:
        self.close()
        return SpoolUnusable(f"the spool {self.path} can't be used: {error}")


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        _make(path)
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _check_version(database)
        database.execute("PRAGMA synchronous = FULL")  # what is spooled survives a power cut
        database.execute(f"PRAGMA journal_size_limit = {2**20}").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _check_version(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise ValueError("it is no spool of this version; name another directory")


def _make(path: Path) -> None:
    """Make a spool's file, readable for this user alone, as it holds events.

    Elsewhere and whole, so that of several processes none meets another's half of one.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as directory:
        made = Path(directory) / path.name
        os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        database = sqlite3.connect(made, isolation_level=None)
        try:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            database.executescript(_SCHEMA)
        finally:
            database.close()
        with suppress(FileExistsError):  # another process was faster
            os.link(made, path)


def _begin(database: sqlite3.Connection) -> None:
    """Begin to write, in turn with other processes."""
    database.execute(f"PRAGMA busy_timeout = {_GLANCE_MS}")
    try:
        _patiently(lambda: database.execute("BEGIN IMMEDIATE"))
    finally:
        database.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")


def _patiently(work: Callable[[], T]) -> T:
    """Try for `BUSY_S` while another process writes.

    SQLite's own waiting sleeps longer and longer, which starves some, and ends at once while a file
    is recovered.
    """
    end = time.monotonic() + BUSY_S
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() > end:
                raise
        time.sleep(_PAUSE_S)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def spool_path(directory: Path | None, *, source: str | None, kind: str, origin: str) -> Path:
    """Return a spool's file: one for each source and kind of transport.

    In the user's own directory for state, which applications share, one for each server as well:
    in a directory that was named, what waits goes to wherever the server has moved.
    """
    owner = [source or "", kind, *([] if directory else [origin])]
    digest = hashlib.sha256("\0".join(owner).encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.-]", "_", source or "any", flags=re.ASCII)[:40]
    return (directory or state_directory()) / f"{name}-{kind}-{digest}{SUFFIX}"


def state_directory() -> Path:
    """Return where this user's programs keep their state, or raise `SpoolUnusable`."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise SpoolUnusable("this user has no home for a spool: name a directory") from error
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        base = home / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state")
    return base / "notifier"
