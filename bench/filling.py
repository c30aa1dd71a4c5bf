"""What is in the database: 100 people with a profile each, events for one or all, and the proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Count
from redis import Redis

from bench import sink
from bench.site import Site
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import (
    Attempt,
    Delivery,
    Event,
    Filter,
    Incident,
    NotificationProfile,
    Source,
    SourceToken,
)
from servers.process import wait_until
from worker.queues import queue_names

PROFILES = 100
LIST = 100
MATCHES = {"A": 1, "B": PROFILES}


class Wrong(RuntimeError):  # noqa: N818 - says what is wrong
    """What came out is not what went in: the figures would be worth nothing."""


@transaction.atomic
def populate() -> str:
    """Make the people, with exactly `PROFILES` active profiles; return a source's token.

    Each profile asks for its own host's tag; that of case B is on every event.
    """
    for number in range(PROFILES):
        user = User(username=f"user{number}", email=f"user{number}@example.org")
        user.set_unusable_password()  # a real hash costs half a second
        user.save()
        own = Filter.objects.create(
            user=user, name="host", conditions={"tags": [f"host=~h{number}|all"], "max_level": 4}
        )
        profile = user.notification_profiles.get()
        profile.filters.set([own])
    if (found := NotificationProfile.objects.filter(active=True).count()) != PROFILES:
        raise Wrong(f"{found} active profiles, not {PROFILES}")
    return SourceToken.issue(Source.objects.create(name="bench", type="cron"))


def events(case: str, count: int) -> list[dict[str, Any]]:
    """Return events as they are posted: for one person each (A), for everybody (B)."""
    return [
        {
            "description": f"Disk {number} is nearly full: 93 % of 512 GB used",
            "level": 3,
            "tags": [f"host={f'h{number % PROFILES}' if case == 'A' else 'all'}", "site=oslo"],
            "details_url": f"https://monitoring.example.org/disks/{number}",
        }
        for number in range(count)
    ]


def store(posted: Sequence[dict[str, Any]]) -> None:
    """Accept events without HTTP, in lists."""
    source = Source.objects.get(name="bench")
    for start in range(0, len(posted), LIST):
        accept([parse_event(each) for each in posted[start : start + LIST]], source)


def clear(site: Site) -> None:
    """Remove events and all that follows from them, from database, queues and sink."""
    tables = [model._meta.db_table for model in (Attempt, Delivery, Event, Incident)]
    statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=False)
    connection.ops.execute_sql_flush(statements)
    with Redis.from_url(site.redis_url) as redis:
        redis.delete(*queue_names())
    sink.ask(site.count_port, "DELETE")


def verify(site: Site, expected: int) -> None:
    """Raise `Wrong` unless each notification arrived once and its row says so."""
    wait_until(
        lambda: Delivery.objects.filter(state=Delivery.State.SENT).count() >= expected,
        timeout_s=10,
        what=f"{expected} deliveries being recorded as sent",
    )
    by_state = Delivery.objects.order_by().values_list("state", "attempts")
    tally = sink.ask(site.count_port)
    found = {
        "rows by state and attempts": sorted(by_state.annotate(n=Count("pk"))),
        "attempts": Attempt.objects.count(),
        "mails": tally.messages,
        "Message-IDs": tally.distinct,
    }
    right = {
        "rows by state and attempts": [("sent", 1, expected)],
        **dict.fromkeys(("attempts", "mails", "Message-IDs"), expected),
    }
    if found != right:
        raise Wrong(f"wanted {right}, got {found}")
