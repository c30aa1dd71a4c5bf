"""What is in the database: people with two profiles each, events for one or for many, the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Count, Model
from django.utils import timezone
from redis import Redis

from bench.site import Site
from notifier import notify_many
from notifier.fingerprint import fingerprint
from notifier.ids import new_event_id
from notifier.media.registry import get_medium
from notifier.media.webhook import new_secret
from notifier.models import (
    Attempt,
    Delivery,
    DestinationConfig,
    Event,
    Filter,
    Incident,
    NotificationProfile,
    Source,
    TimeRecurrence,
    Timeslot,
)
from servers.process import wait_until
from worker.queues import queue_names

LIST = 100
GROUP = 100
"""So many people share a group, unless a scenario says otherwise."""
M = TypeVar("M", bound=Model)


class Wrong(RuntimeError):  # noqa: N818 - says what is wrong
    """What came out is not what went in: the figures would be worth nothing."""


def populate(
    site: Site,
    count: int,
    medium: str = "email",
    *,
    group: Callable[[int], str] = lambda number: str(number // GROUP),
) -> None:
    """Start from an empty site, with `count` people and two profiles each.

    One asks for the tag of a host of one's own (`host=h7`), the other for that of a group.
    """
    empty(site)
    with transaction.atomic():
        _people(site, count, medium, group)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def empty(site: Site) -> None:
    """Remove people and events, and all that is theirs."""
    clear(site)
    _truncate(User)
    Source.objects.get_or_create(name="bench", defaults={"type": "cron"})


def _people(site: Site, count: int, medium: str, group: Callable[[int], str]) -> None:
    numbers = range(count)
    users = _insert(
        User(username=f"user{n}", email=f"user{n}@example.org", password="!")  # nobody logs in
        for n in numbers
    )
    slots = _insert(Timeslot(user=user, name="always") for user in users)
    _insert(TimeRecurrence(timeslot=slot) for slot in slots)
    places = _insert(_destination(site, user, medium) for user in users)
    for name, tags in (
        ("host", [f"host=h{n}" for n in numbers]),
        ("group", [f"group={group(n)}" for n in numbers]),
    ):
        filters = _insert(
            Filter(user=user, name=name, conditions={"tags": [tag], "max_level": 4})
            for user, tag in zip(users, tags, strict=True)
        )
        profiles = _insert(
            NotificationProfile(user=user, name=name, timeslot=slot)
            for user, slot in zip(users, slots, strict=True)
        )
        leads, told = NotificationProfile.filters.through, NotificationProfile.destinations.through
        _insert(
            leads(notificationprofile_id=a.pk, filter_id=b.pk)
            for a, b in zip(profiles, filters, strict=True)
        )
        _insert(
            told(notificationprofile_id=a.pk, destinationconfig_id=b.pk)
            for a, b in zip(profiles, places, strict=True)
        )


def _insert(rows: Iterable[M]) -> list[M]:
    made = list(rows)
    return type(made[0])._base_manager.bulk_create(made, batch_size=1000)  # noqa: SLF001 - documented


def _destination(site: Site, user: User, medium: str) -> DestinationConfig:
    settings: dict[str, dict[str, str]] = {
        "email": {"email_address": user.email},
        "webhook": {
            "url": f"http://127.0.0.1:{site.http_port}/{user.username}",
            "secret": new_secret(),
        },
        "null": {"name": user.username},
    }
    found = settings[medium]
    address = fingerprint(medium, get_medium(medium).canonical_address(found))
    return DestinationConfig(user=user, media_id=medium, settings=found, fingerprint=address)


def one_each(count: int, people: int = GROUP) -> list[dict[str, Any]]:
    """Return events as they are posted, each for one person."""
    return [_event(number, [f"host=h{number % people}"]) for number in range(count)]


def to_groups(count: int, groups: Sequence[str] = ("0",)) -> list[dict[str, Any]]:
    """Return events as they are posted, each for everybody in some groups."""
    return [_event(number, [f"group={each}" for each in groups]) for number in range(count)]


def _event(number: int, tags: Sequence[str]) -> dict[str, Any]:
    return {
        "description": f"Disk {number} is nearly full: 93 % of 512 GB used",
        "level": 3,
        "tags": [*tags, "site=oslo"],
        "details_url": f"https://monitoring.example.org/disks/{number}",
    }


def rows(count: int) -> list[Event]:
    """Return events as rows that need no dispatch, unsaved: for what is measured without Notifier."""
    source, now = Source.objects.get(name="bench"), timezone.now()
    return [
        Event(
            id=new_event_id(),
            source=source,
            body_sha256="0" * 64,
            type=Event.Type.STATELESS,
            timestamp=now,
            received=now,
            state=Event.State.DISPATCHED,
            **posted,
        )
        for posted in one_each(count)
    ]


def store(posted: Sequence[Mapping[str, Any]], size: int = LIST) -> None:
    """Post events by `notify_many()`, in lists of `size`."""
    for start in range(0, len(posted), size):
        notify_many(posted[start : start + size], source="bench")


def clear(site: Site) -> None:
    """Remove events and all that follows from them, from database, queues and sink."""
    _truncate(Attempt, Delivery, Event, Incident)
    with Redis.from_url(site.redis_url) as redis:
        redis.delete(*queue_names())
    site.sink.empty()


def _truncate(*models: type[Model]) -> None:
    statements = connection.ops.sql_flush(
        no_style(), [model._meta.db_table for model in models], allow_cascade=True
    )
    connection.ops.execute_sql_flush(statements)


def unfinished() -> bool:
    """Whether anything is still to be matched or sent."""
    open_states = (Delivery.State.PENDING, Delivery.State.SENDING)
    return (
        Event.objects.filter(state=Event.State.ACCEPTED).exists()
        or Delivery.objects.filter(state__in=open_states).exists()
    )


def verify(site: Site, expected: int, *, arrived: bool = True) -> None:
    """Raise `Wrong` unless each notification was sent once, arrived once, and its row says so."""
    wait_until(lambda: not unfinished(), timeout_s=60, what=f"{expected} deliveries being recorded")
    by_state = Delivery.objects.order_by().values_list("state", "attempts")
    tally = site.sink.tally()
    found = {
        "rows by state and attempts": sorted(by_state.annotate(n=Count("pk"))),
        "attempts": Attempt.objects.count(),
        "messages": tally.messages,
        "ids": tally.distinct,
    }
    right = {
        "rows by state and attempts": [("sent", 1, expected)],
        "attempts": expected,
        **dict.fromkeys(("messages", "ids"), expected if arrived else 0),
    }
    if found != right:
        raise Wrong(f"wanted {right}, got {found}")
