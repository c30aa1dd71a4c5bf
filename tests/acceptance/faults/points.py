"""The points of an event's way at which a worker is killed."""

from __future__ import annotations

import enum
import os
from pathlib import Path

VARIABLE = "NOTIFIER_TEST_DYING"
"""Names the directory in which a file arms a point."""


class When(enum.Enum):
    """Where, around a statement."""

    BEFORE = enum.auto()
    AFTER = enum.auto()
    """Executed, but its transaction is open."""
    COMMITTED = enum.auto()


class Point(enum.StrEnum):
    """Where a worker dies."""

    IN_INGEST = "in ingest's transaction"
    AFTER_INGEST = "after ingest, before the nudge"
    IN_DISPATCH = "in dispatch's transaction"
    AFTER_DISPATCH = "after dispatch, before the nudge"
    BEFORE_THE_CLAIM = "before the claim"
    IN_THE_CLAIM = "in the claim's transaction"
    AFTER_THE_CLAIM = "after the claim"
    AFTER_THE_LOAD = "after the load"
    BEFORE_THE_SEND = "before the send"
    IN_THE_MAIL = "in the middle of the mail"
    AFTER_THE_SEND = "after acceptance, before the record"
    IN_THE_RECORD = "in the record's transaction"
    AFTER_THE_RECORD = "after the record"
    BEFORE_THE_RELEASE = "before the release"
    AFTER_THE_RELEASE = "after the release"
    IN_THE_SWEEP = "in the sweep, returning what a dead worker held"


_CLAIM = r'UPDATE "?notifier_delivery"?.*\blease_until"? = (?!NULL)'
_LOAD = r'SELECT .*FROM "notifier_event" LEFT OUTER JOIN "notifier_incident".*WHERE.*"id" IN'
_RECORD = r'INSERT INTO "notifier_attempt"'
_RELEASE = (
    r'UPDATE "notifier_delivery" SET (?!.*"id" (IN|=))(?!.*lease_until" <).*claim_token" = NULL'
)
_RECOVER = r'UPDATE "notifier_delivery" SET .*WHERE.*lease_until" <'
_DISPATCH = r'INSERT INTO "notifier_delivery"'
_INGEST = r'INSERT (OR IGNORE )?INTO "notifier_event"'

STATEMENTS = {
    Point.IN_INGEST: (_INGEST, When.AFTER),
    Point.AFTER_INGEST: (_INGEST, When.COMMITTED),
    Point.IN_DISPATCH: (_DISPATCH, When.AFTER),
    Point.AFTER_DISPATCH: (_DISPATCH, When.COMMITTED),
    Point.BEFORE_THE_CLAIM: (_CLAIM, When.BEFORE),
    Point.IN_THE_CLAIM: (_CLAIM, When.AFTER),
    Point.AFTER_THE_CLAIM: (_CLAIM, When.COMMITTED),
    Point.AFTER_THE_LOAD: (_LOAD, When.AFTER),
    Point.IN_THE_RECORD: (_RECORD, When.AFTER),
    Point.AFTER_THE_RECORD: (_RECORD, When.COMMITTED),
    Point.BEFORE_THE_RELEASE: (_RELEASE, When.BEFORE),
    Point.AFTER_THE_RELEASE: (_RELEASE, When.COMMITTED),
    Point.IN_THE_SWEEP: (_RECOVER, When.AFTER),
}
"""The statement that marks a point; the others are marked by SMTP."""


def path_of(point: Point) -> Path:
    """Return the file that arms a point, and goes when somebody has died there."""
    return Path(os.environ[VARIABLE]) / point.name


def arm(directory: Path, point: Point, victim: str = "child", skipped: int = 0) -> Path:
    """Kill whoever passes there, after some have passed: the `child`, or the `main process` and the child."""
    path = directory / point.name
    made = path.with_suffix(".new")
    made.write_text(f"{victim},{skipped}")
    made.rename(path)  # never seen half written
    return path
