"""Millions of rows, made inside PostgreSQL."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from notifier.models import Delivery, DestinationConfig, Event, Source

CHUNK = 100_000
PEOPLE = 100
PER_EVENT = 100
WAITING_EVENTS = 1000

_EVENT_ID = "md5(({})::text)::uuid"
_AGO = "now() - random() * interval '30 days'"


def fill(rows: int, waiting: int, advance: Callable[[int], None]) -> None:
    """Make deliveries, `waiting` of them pending, and their events; say what was made as it is.

    Of those that wait, half are due and half will be; a tenth belong to incidents. The constraints
    between tables are not checked, which would take longer than the rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        destinations = _destinations()
        event = _event()
        copies = {"id": _EVENT_ID.format("i"), "received": _AGO}
        _copy(event, rows // PER_EVENT + 1, copies, lambda _count: None)
        accepted = {"id": "gen_random_uuid()", "state": "'accepted'", "received": "now()"}
        _copy(event, WAITING_EVENTS, accepted, lambda _count: None)
        last = len(destinations) - 1  # the first is the template's
        each = {
            "event_id": _EVENT_ID.format(f"1 + i / {PER_EVENT}"),
            "destination_id": f"(ARRAY{destinations})[2 + mod(i, {last})]",
            "occasion": "i",
            "created": _AGO,
        }
        finished = {**each, "state": "'sent'", "finished_at": _AGO, "due_at": _AGO}
        pending = {
            **each,
            "occasion": "'w' || i",
            "due_at": "now() + (random() - 0.5) * interval '2 hours'",
            "incident_id": "CASE WHEN mod(i, 10) = 0 THEN 1 + mod(i, 1000) END",
            "sequence": "CASE WHEN mod(i, 10) = 0 THEN 1 + i / 1000 END",
            "urgency": "2 + mod(i, 4)",
        }
        delivery = _delivery(event, destinations[0])
        _copy(delivery, rows - waiting, finished, advance)
        _copy(delivery, waiting, pending, advance)
        delivery.delete()
        cursor.execute("RESET session_replication_role; RESET synchronous_commit")
        cursor.execute("VACUUM ANALYZE notifier_delivery")
        cursor.execute("VACUUM ANALYZE notifier_event")


def _copy(
    template: Model, count: int, changed: Mapping[str, str], advance: Callable[[int], None]
) -> None:
    """Insert copies of a row, with some columns by SQL over `i`, whatever other columns it has."""
    meta = template._meta
    columns = [str(field.column) for field in meta.concrete_fields]
    if "id" not in changed:
        columns.remove("id")
    values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            cursor.execute(
                f'INSERT INTO "{meta.db_table}" ({names}) SELECT {values} '
                f'FROM "{meta.db_table}", generate_series({start + 1}, {start + size}) AS i '
                f'WHERE "{meta.db_table}".id = %s',
                [template.pk],
            )
            advance(size)


def _destinations() -> list[int]:
    users = get_user_model().objects
    for number in range(PEOPLE):
        users.create_user(f"user{number}", email=f"user{number}@example.org")
    return list(DestinationConfig.objects.order_by("pk").values_list("pk", flat=True))


def _event() -> Event:
    source = Source.objects.create(name="bench")
    columns: dict[str, Any] = {"type": "LES", "level": 3, "description": "x" * 100}
    now = timezone.now()
    return Event.objects.create(
        id=uuid.uuid4(), source=source, timestamp=now, received=now, state="dispatched", **columns
    )


def _delivery(event: Event, destination: int) -> Delivery:
    return Delivery.objects.create(
        event=event,
        destination_id=destination,
        user=DestinationConfig.objects.get(pk=destination).user,
        medium="email",
        urgency=3,
        expires_at=timezone.now() + dt.timedelta(days=1),
    )
