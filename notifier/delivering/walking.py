"""The walk: which due deliveries of a medium are next. One query, however much waits or is closed.

It steps through the index `delivery_walk` (urgency, host, user, destination, time), one look-up a step,
and jumps over what can't be taken: a closed host is one step, a closed destination is one, and so
is whoever has had their share. A plain `ORDER BY … LIMIT` would read every row of a closed
destination first, and all of one user's before another's one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.db import connection

from notifier.models import Delivery, Gate
from notifier.models.event import Level

MAX_STEPS = 2000
"""After so many a walk ends with what it has; the next one goes on from there."""

# a host project's users may have any kind of key
_USER_KEY: Any = Delivery.user.field.target_field
_LAST_ID = str(2**63 - 1)
_LAST_TIME = "'9999-12-31'"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk ended: the next one begins behind it, so that users have their turns."""

    host: str
    user: Any
    destination: int
    urgency: int = 1
    """Not 1 where the walk had to end in the middle: then the next one goes on in this urgency."""
    crowded: bool = False
    """Whether more was due than that claim could take."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk found, in its order."""

    ids: list[int]
    urgencies: dict[int, int]
    probes: dict[int, str]
    """Those that try whether a host is well again, with its name."""
    full: bool
    """Whether it ended before it had seen all: more may be due."""
    shared: bool
    """Whether a user's share was used up: more of theirs may be due."""
    place: Place | None


def walk(medium: str, limit: int, *, share: int, behind: Place | None = None) -> Walk:
    """Return up to `limit` deliveries that may be sent now, `share` of each user at most.

    Urgent ones first; within an urgency user by user, beginning behind a place, each user's in the
    order of their times. Left out is what has expired (the sweep cancels it), whose incident
    has an earlier one unfinished at the same destination (messages leave in order), and what a
    closed gate holds back; of a host whose breaker is half open there is one at most.
    """
    place = behind or Place("", None, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            _sql(connection.vendor, rotated=behind is not None),
            {
                "medium": medium,
                "limit": limit,
                "share": share,
                "steps": MAX_STEPS,
                "urgency": place.urgency,
                "host": place.host,
                "user": _USER_KEY.get_db_prep_value(place.user, connection),
                "destination": place.destination,
            },
        )
        steps = cursor.fetchall()
    taken = [step for step in steps if step[0] in {"take", "probe"}]
    if not steps:  # the medium's own gate is closed
        return Walk([], {}, {}, full=False, shared=False, place=behind)
    per_user = Counter(step[3] for step in taken)
    ended = steps[-1]
    full = not (ended[0] == "none" and ended[5])
    tired = full and len(taken) < limit
    return Walk(
        ids=[step[1] for step in taken],
        urgencies={step[1]: step[6] for step in taken},
        probes={step[1]: step[2] for step in taken if step[0] == "probe"},
        full=full or place.urgency > 1,
        shared=max(per_user.values(), default=0) >= share,
        place=_place_after(steps, taken, tired=tired) or (behind and replace(behind, urgency=1)),
    )


def _place_after(
    steps: Sequence[tuple[Any, ...]], taken: Sequence[tuple[Any, ...]], *, tired: bool
) -> Place | None:
    """Return where the next walk goes on: behind the last row that was taken, or looked at."""
    looked_at = [step for step in steps if step[4] is not None] if tired else taken
    if not looked_at:
        return None
    host, user, destination = looked_at[-1][2:5]
    urgency, second_half = steps[-1][6:8]
    # past the place it began behind, it has come to everybody of this urgency, now or before
    urgency = (urgency % len(Level) + 1 if second_half else urgency) if tired else 1
    return Place(host, _USER_KEY.to_python(user), destination, urgency)


@cache
def _sql(vendor: str, *, rotated: bool) -> str:
    """Return the query; each row is one step.

    A step's verdict says what its row is, and so where the next step looks: `take` and `probe` are found;
    `row`, `lane` (destination) and `host` are passed over as a whole; `none` ends a phase. There
    are two phases an urgency: behind the place, then up to it; without a place, one.
    """
    now = {
        "postgresql": "STATEMENT_TIMESTAMP()",
        # the end of this millisecond: texts are compared, and some of them have six digits
        "sqlite": "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW') || '999')",
    }[vendor]
    delivery, gate = Delivery._meta.db_table, Gate._meta.db_table
    phases = 2 if rotated else 1
    took = "(w.verdict IN ('take', 'probe'))"
    phase = "(w.phase + CASE WHEN w.verdict = 'none' THEN 1 ELSE 0 END)"
    in_share = f"(w.share + CASE WHEN {took} THEN 1 ELSE 0 END)"

    def first(condition: str = "") -> str:
        """Find the first row of a phase's urgency beyond something."""
        return (
            f"(SELECT x.id FROM {delivery} x WHERE x.medium = %(medium)s"  # noqa: S608 - names of ours
            f" AND x.urgency = {phase} / {phases} + 1 AND x.state = 'pending'"
            f" AND x.destination_id IS NOT NULL {condition}"
            " ORDER BY x.host, x.user_id, x.destination_id, x.due_at, x.id LIMIT 1)"
        )

    def beyond(*place: str) -> str:
        """Find the first row beyond a place, given as values of the index's columns from `host` on.

        Never by fewer columns than the last that differ: SQLite would read all equal ones.
        """
        columns = ("host", "user_id", "destination_id", "due_at", "id")[: len(place)]
        return first(f"AND ({', '.join(f'x.{c}' for c in columns)}) > ({', '.join(place)})")

    # SQLite uses an index's later columns only for values that have no type of their own: the plus
    plus = "+" if vendor == "sqlite" else ""
    host, user, destination, due_at, pk = (
        f"{plus}w.{column}" for column in ("host", "user_id", "destination_id", "due_at", "id")
    )
    behind = beyond("%(host)s", "%(user)s", "%(destination)s", _LAST_TIME)
    start = f"CASE WHEN {phase} %% 2 = 0 THEN {behind} ELSE {first()} END" if rotated else first()
    past_place = (
        f"{phase} %% 2 = 1 AND (n.host, n.user_id, n.destination_id)"
        " > (%(host)s, %(user)s, %(destination)s)"
        if rotated
        else "1 = 0"
    )
    closed = f"(g.paused OR g.closed_until > {now} OR g.probe_until > {now})"
    return f"""
WITH RECURSIVE walk(step, phase, verdict, taken, share, id, host, user_id, destination_id, due_at) AS (
  SELECT 0, (%(urgency)s - 1) * {phases} - 1, 'none', 0, 0, x.id, x.host, x.user_id, x.destination_id, x.due_at
  FROM (SELECT 1) AS unit LEFT JOIN {delivery} x ON x.id = 0
  WHERE NOT EXISTS (
    SELECT 1 FROM {gate} g
    WHERE g.medium = %(medium)s AND g.host = '' AND g.destination_id IS NULL AND {closed})
UNION ALL
  SELECT
    w.step + 1,
    {phase},
    CASE
      WHEN n.id IS NULL OR {past_place} THEN 'none'
      WHEN EXISTS (
        SELECT 1 FROM {gate} g
        WHERE g.medium = %(medium)s AND g.host = n.host AND g.destination_id IS NULL AND {closed})
        THEN 'host'
      WHEN n.due_at > {now} THEN 'lane'
      WHEN EXISTS (SELECT 1 FROM {gate} g WHERE g.destination_id = n.destination_id AND {closed})
        THEN 'lane'
      WHEN n.expires_at <= {now} THEN 'row'
      WHEN n.incident_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM {delivery} e
        WHERE e.destination_id = n.destination_id AND e.incident_id = n.incident_id
          AND e.sequence < n.sequence AND e.state IN ('pending', 'sending'))
        THEN 'row'
      WHEN EXISTS (
        SELECT 1 FROM {gate} g
        WHERE g.medium = %(medium)s AND g.host = n.host AND g.destination_id IS NULL
          AND g.trips > 0)
        THEN 'probe'
      ELSE 'take'
    END,
    w.taken + CASE WHEN {took} THEN 1 ELSE 0 END,
    CASE WHEN n.host = w.host AND n.user_id = w.user_id THEN {in_share} ELSE 0 END,
    n.id, n.host, n.user_id, n.destination_id, n.due_at
  FROM walk w LEFT JOIN {delivery} n ON n.id = CASE
    WHEN w.verdict = 'none' THEN {start}
    WHEN w.verdict IN ('host', 'probe') THEN {beyond(host)}
    WHEN {took} AND {in_share} >= %(share)s THEN {beyond(host, user, _LAST_ID)}
    WHEN w.verdict = 'lane' THEN {beyond(host, user, destination, _LAST_TIME)}
    ELSE {beyond(host, user, destination, due_at, pk)}
  END
  WHERE w.taken + CASE WHEN {took} THEN 1 ELSE 0 END < %(limit)s
    AND {phase} < {len(Level) * phases} AND w.step < %(steps)s
)
SELECT
  verdict, id, host, user_id, destination_id, phase = {len(Level) * phases - 1}, phase / {phases} + 1,
  phase %% {phases}
FROM walk
ORDER BY step
"""  # noqa: S608 - names of ours; values are parameters
