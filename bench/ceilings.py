"""Raw rates of the parts that Notifier is made of, each without Notifier."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.utils import timezone
from redis import Redis

from bench import noop
from bench.filling import LIST, events
from bench.site import Site, start_celery
from notifier.ids import new_event_id
from notifier.media.email import EmailNotification
from notifier.models import Delivery, DestinationConfig, Event, Source
from servers.process import wait_until


def timed(key: str, count: int, work: Callable[[], object]) -> dict[str, float]:
    """Return how often per second `work`, that does it `count` times, does something.

    Also this process's CPU milliseconds for each: they hold on a busy machine too.
    """
    started, cpu = time.monotonic(), time.process_time()
    work()
    cpu_ms = 1000 * (time.process_time() - cpu) / count
    return {key: count / (time.monotonic() - started), f"{key}.cpu": cpu_ms}


def mail(site: Site, count: int) -> dict[str, float]:
    """Send the mail that Notifier would, built by Django anew each time, and as ready bytes."""
    text = EmailNotification().render(_events(1)[0])

    def plain(number: int) -> EmailMessage:
        return EmailMessage(text.subject, text.text, to=[f"user{number}@example.org"])

    def both(number: int) -> EmailMessage:
        message = EmailMultiAlternatives(text.subject, text.text, to=[f"user{number}@example.org"])
        message.attach_alternative(text.html, "text/html")
        return message

    def send(build: Callable[[int], EmailMessage]) -> None:
        with EmailBackend(host="127.0.0.1", port=site.smtp_port) as backend:
            for number in range(count):
                backend.send_messages([build(number)])

    def send_ready() -> None:
        ready = both(0).message().as_bytes().replace(b"\n", b"\r\n")
        with smtplib.SMTP("127.0.0.1", site.smtp_port) as server:
            for number in range(count):
                server.sendmail("a@example.org", [f"user{number}@example.org"], ready)

    return (
        timed("mail", count, lambda: send(both))
        | timed("mail.text", count, lambda: send(plain))
        | timed("mail.ready", count, send_ready)
    )


def insert(count: int) -> dict[str, float]:
    """Insert rows like those of intake and of dispatch, ready in memory."""
    stored = _events(count // 2)

    def store_events() -> None:
        for start in range(0, len(stored), LIST):
            Event.objects.bulk_create(stored[start : start + LIST])

    found = timed("event", len(stored), store_events)
    rows = [*_deliveries(stored, "first"), *_deliveries(stored, "second")]
    return found | timed(
        "delivery", len(rows), lambda: Delivery.objects.bulk_create(rows, batch_size=1000)
    )


def _events(count: int) -> list[Event]:
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
        for posted in events("A", count)
    ]


def _deliveries(stored: Sequence[Event], occasion: str) -> list[Delivery]:
    destinations, now = list(DestinationConfig.objects.all()), timezone.now()
    return [
        Delivery(
            event=event,
            destination=to,
            occasion=occasion,
            user_id=to.user_id,
            medium=to.media_id,
            destination_label=str(to.pk),
            profiles=[1],
            urgency=event.level,
            due_at=now,
            created=now,
        )
        for event, to in zip(stored, cycle(destinations), strict=False)
    ]


def celery(site: Site, count: int, repeats: int) -> Iterator[dict[str, float]]:
    """Drain a queue of no-op tasks with two worker processes of one child each."""
    with ExitStack() as stack, Redis.from_url(site.redis_url) as redis:
        for name in ("noop1", "noop2"):
            start_celery(stack, site, name, "bench.noop", noop.QUEUE)
        wait_until(_both_answer, timeout_s=60, what="both workers")
        for _ in range(repeats):
            noop.app.control.cancel_consumer(noop.QUEUE, reply=True)
            for _ in range(count):
                noop.nothing.delay()
            waiting = int(redis.llen(noop.QUEUE))
            started = time.monotonic()
            noop.app.control.add_consumer(noop.QUEUE)
            wait_until(lambda: not redis.llen(noop.QUEUE), timeout_s=60, what="an empty queue")
            yield {"celery": waiting / (time.monotonic() - started)}


def _both_answer() -> bool:
    replies = noop.app.control.broadcast("ping", reply=True, limit=2, timeout=1.0)
    return len(replies or ()) == 2
