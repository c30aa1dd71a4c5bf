"""An event that kills the process that stores it stops nothing else."""

from __future__ import annotations

from typing import Any

from notifier.client import connect, publish
from notifier.intake.ingesting import MAX_RETURNS
from notifier.models import Event, IngestTry, QuarantinedEvent
from servers.process import Process
from tests.acceptance.stack import Stack, eventually

POISON = {"source": "shop", "description": "deadly", "source_event_id": "poison"}


def poisoned_worker(stack: Stack) -> Process:
    """Start a worker of the events that dies of one."""
    options = "-Q events,maintenance -n events@%h -c 1 --without-gossip --without-mingle"
    return stack.run("events", *f"celery -A tests.poison worker {options}".split())


def unfinished(stack: Stack) -> int:
    """Return how many messages wait or are not acknowledged."""
    with stack.app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return int(channel.client.llen("events") + channel.client.hlen("unacked"))


def test_an_event_that_kills_its_process_is_set_aside_and_the_others_are_stored(
    stack: Stack, token: str
) -> None:
    worker = poisoned_worker(stack)
    good = [{"source": "shop", "description": f"event {number}"} for number in range(4)]
    with connect(stack.redis.url) as queue:
        for message in (good[0], POISON, [good[1], POISON, good[2]], good[3]):
            publish(queue, "notifier.ingest", [message], "events")

    try:
        eventually(lambda: QuarantinedEvent.objects.count() == 2, "the quarantine of both", 60)
        eventually(lambda: Event.objects.count() == len(good), "the storing of the others")
        eventually(lambda: not unfinished(stack), "an acknowledgement of every message")
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{stack.logs()}") from error
    assert {row.reason for row in QuarantinedEvent.objects.all()} == {
        "its process died 3 times in turn; trying it again may end another one"
    }
    stored = set(Event.objects.values_list("description", flat=True))
    assert stored == {each["description"] for each in good}
    assert not IngestTry.objects.exists()
    assert worker.running
    assert worker.log().count("exited with 'signal 9") == 2 * MAX_RETURNS
