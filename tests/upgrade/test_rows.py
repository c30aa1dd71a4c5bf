"""Rows that an older release still INSERTs, after the migrations of this one, are worked on."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.fingerprint import fingerprint
from notifier.ids import new_event_id
from notifier.models import Delivery, Event
from servers.inbox import Inbox
from tests.recording import RecordingQueue
from tests.upgrade.recorded import RELEASES, columns

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EARLIER = f"{timezone.now() - dt.timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"
"""In UTC, and not so long ago that what it says has expired."""
BY_NAME: dict[str, Any] = {
    "time_zone": "UTC",
    "name": "All the time",
    "days": 127,
    "start": "00:00:00",
    "end": "00:00:00",
    "conditions": {"addressed": True},
    "active": True,
    "paused_until": None,
    "managed": True,
    "media_id": "email",
    "label": "",
    "settings": {"email_address": "anna@example.org"},
    "fingerprint": "0" * 64,
    "type": "STA",
    "prefix": "nts_0000",
    "sha256": "1" * 64,
    "revoked_at": None,
    "incident_key": "i1",
    "description": "as the old release wrote it",
    "details_url": "",
    "level": 1,
    "end_time": None,
    "open": True,
    "acked": False,
    "last_sequence": 2,
    "source_event_id": "",
    "body_sha256": "2" * 64,
    "tags": [],
    "metadata": {},
    "actor": "",
    "recipients": ["anna"],
    "expires": None,
    "traceparent": "",
    "dispatch_tries": 0,
    "dispatched_at": None,
    "source_name": "shop",
    "payload": {},
    "reason": "",
    "resolved_at": None,
    "occasion": "",
    "kind": "notification",
    "bundle_id": None,
    "medium": "email",
    "destination_label": "Email",
    "host": "",
    "profiles": [1],
    "urgency": 1,
    "expires_at": None,
    "attempts": 0,
    "crashes": 0,
    "solo": False,
    "claim_token": None,
    "lease_until": None,
    "finished_at": None,
    "number": 1,
    "duration_ms": 3,
    "worker": "w",
    "outcome": "temporary",
    "answer": "",
}
"""A value for each column that is no key and no time, the same in all tables."""
OWN_KEYS = {"notifier_preferences", "notifier_event", "notifier_heartbeat"}
TIMES = {"created", "start_time", "timestamp", "received", "due_at", "started_at", "at"}


class OldRelease:
    """Inserts rows by the very columns that a release named."""

    def __init__(self, release: str) -> None:
        self._columns = columns(release)
        self.inserted: set[str] = set()

    def insert(self, table: str, **given: Any) -> int:
        """Insert a row; return its id where the database gave it one."""
        names = self._columns[table]
        values = [self._adapted(given[name] if name in given else _default(name)) for name in names]
        quoted = ", ".join(map(connection.ops.quote_name, names))
        places = ", ".join(["%s"] * len(names))
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({quoted}) VALUES ({places})", values)
            self.inserted.add(table)
            if table in OWN_KEYS:
                return 0
            cursor.execute(f"SELECT MAX(id) FROM {table}")
            return int(cursor.fetchone()[0])

    def _adapted(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            return json.dumps(value)
        if isinstance(value, uuid.UUID) and connection.vendor == "sqlite":
            return value.hex
        return value

    @property
    def tables(self) -> set[str]:
        """Every table that the release was seen to insert into."""
        return set(self._columns)


def _default(name: str) -> Any:
    return EARLIER if name in TIMES else BY_NAME[name]


@pytest.mark.parametrize("release", RELEASES)
def test_what_an_older_release_inserts_is_matched_and_sent(
    db: None,
    queue: RecordingQueue,
    inbox: Inbox,
    django_user_model: type[User],
    release: str,
) -> None:
    [anna] = django_user_model.objects.bulk_create([django_user_model(username="anna")])
    old = OldRelease(release)
    user = {"user_id": anna.pk}
    old.insert("notifier_preferences", **user)
    timeslot = old.insert("notifier_timeslot", **user)
    old.insert("notifier_timerecurrence", timeslot_id=timeslot)
    filter_ = old.insert("notifier_filter", **user)
    destination = old.insert(
        "notifier_destinationconfig", **user, fingerprint=fingerprint("email", "anna@example.org")
    )
    profile = old.insert("notifier_notificationprofile", **user, timeslot_id=timeslot)
    both = {"notificationprofile_id": profile}
    old.insert("notifier_notificationprofile_filters", **both, filter_id=filter_)
    old.insert(
        "notifier_notificationprofile_destinations", **both, destinationconfig_id=destination
    )
    source = old.insert("notifier_source", name="shop", type="app")
    old.insert("notifier_sourcetoken", source_id=source)
    incident = old.insert("notifier_incident", source_id=source)
    of_incident = {"source_id": source, "incident_id": incident}
    dispatched, waiting = new_event_id(), new_event_id()
    old.insert(
        "notifier_event", **of_incident, id=dispatched, sequence=1, state="dispatched", type="STA"
    )
    old.insert(
        "notifier_event", **of_incident, id=waiting, sequence=2, state="accepted", type="CHI"
    )
    delivery = old.insert(
        "notifier_delivery",
        **user,
        event_id=dispatched,
        destination_id=destination,
        incident_id=incident,
        sequence=1,
        state="pending",
    )
    old.insert("notifier_attempt", delivery_id=delivery, reason="connection")
    old.insert("notifier_quarantinedevent", event_id=new_event_id(), reason="source: none")
    old.insert("notifier_heartbeat", name="sweep")
    assert old.inserted == old.tables

    dispatch()
    while deliver("email", worker="new")["sent"]:
        pass

    assert [mail["to"] for mail in inbox.messages()] == [["anna@example.org"]] * 2
    assert list(Delivery.objects.values_list("state", flat=True)) == ["sent", "sent"]
    assert set(Event.objects.values_list("state", flat=True)) == {"dispatched"}
