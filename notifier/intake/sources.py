"""Who posts: a source, found by its token or its name."""

from __future__ import annotations

import datetime as dt
import json

from django.db import connection
from django.utils import timezone

from notifier import conf
from notifier.errors import InvalidEvent, Problem
from notifier.intake.heartbeats import overhear
from notifier.models import Source, SourceToken

# Asked for each event that comes alone, so written out: the ORM takes as long to say it as the
# database to answer. Nothing is remembered: a revoked token opens nothing from that moment on.
# In the model's order, which `from_db` goes by.
_FIELDS = ("id", "name", "type", "default_level", "limits", "heartbeat_interval", "last_heartbeat")
_COLUMNS = ", ".join(f"source.{name}" for name in _FIELDS)
_BY_NAME = f"SELECT {_COLUMNS} FROM notifier_source AS source WHERE name = %s"  # noqa: S608 - ours
_BY_DIGEST = f"""SELECT {_COLUMNS}
    FROM notifier_sourcetoken AS token JOIN notifier_source AS source ON source.id = token.source_id
    WHERE token.sha256 = %s AND token.revoked_at IS NULL"""  # noqa: S608 - our own columns


def source_of_token(token: str) -> Source | None:
    """Return the source of a token that is known and not revoked; it shows that it lives."""
    if source := _find(_BY_DIGEST, SourceToken.digest(token)):
        overhear(source)
    return source


def source_named(name: str | None) -> Source:
    """Return a source; the site's own where none is named. Raise `InvalidEvent` if it is unknown."""
    own = conf.DEFAULT_SOURCE()
    if source := _find(_BY_NAME, own if name is None else name):
        return source
    if name is None or name == own:
        return Source.objects.get_or_create(name=own)[0]
    raise InvalidEvent(
        [Problem("source", f"there is no source {name!r}; make it with `notifier addsource`")]
    )


def _find(query: str, value: object) -> Source | None:
    with connection.cursor() as cursor:
        cursor.execute(query, [str(value)])
        row = cursor.fetchone()
    if row is None:
        return None
    *others, limits, interval, heard = row
    if heard and timezone.is_naive(heard):  # SQLite keeps UTC, and leaves it to the ORM to say so
        heard = heard.replace(tzinfo=dt.UTC)
    return Source.from_db(connection.alias, _FIELDS, (*others, json.loads(limits), interval, heard))
