"""`notifier send`: posting from the command line, and watching."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.models import Event
from servers.inbox import Inbox
from servers.process import wait_until
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def send(*arguments: str) -> str:
    """Run the command; return what it printed."""
    out = StringIO()
    call_command("send", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    """Do in a thread what the workers would, once the event is there."""

    def run() -> None:
        try:
            wait_until(Event.objects.exists, timeout_s=10, what="the event")
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def work() -> None:
    """Dispatch and deliver."""
    dispatch()
    deliver("email", worker="me")


def test_it_posts_what_it_is_told_and_prints_the_id(anna: User, queue: RecordingQueue) -> None:
    printed = send(
        *("disk full", "--level", "2", "--tag", "host=db1", "--tag", "site=oslo"),
        *("--type", "STA", "--incident-key", "db1", "--recipient", "anna"),
        *("--details-url", "https://example.org/db1", "--source-event-id", "7"),
    )
    event = Event.objects.get(pk=UUID(printed.strip()))
    assert (event.description, event.level, event.type) == ("disk full", 2, "STA")
    assert (event.tags, event.recipients) == (["host=db1", "site=oslo"], ["anna"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x", "--level", "7"], "level: "),
        (["x", "--tag", "host"], r"tags\[0\]: "),
        (["x", "--recipient", "nobody"], "there is no user 'nobody'"),
        (["x", "--source", "nowhere"], "there is no source 'nowhere'"),
    ],
)
def test_what_is_wrong_is_a_sentence(db: None, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        send(*arguments)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_watches_a_delivery_to_its_end(anna: User, queue: RecordingQueue, inbox: Inbox) -> None:
    working = meanwhile(work)
    printed = send("hello", "--recipient", "anna", "--watch", "--timeout", "20")
    working.join()
    assert printed.splitlines()[-1] == "email to anna: sent"
    assert len(inbox.messages()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_fails_is_shown_with_its_reason_and_exits_1(
    django_user_model: type[User], queue: RecordingQueue, inbox: Inbox
) -> None:
    django_user_model.objects.create_user("carl", email="refuse@example.org")
    working = meanwhile(work)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("send", "hello", "--recipient", "carl", "--watch", stdout=out)
    working.join()
    assert ended.value.code == 1
    assert out.getvalue().splitlines()[-1] == "email to carl: failed (gone)"


@pytest.mark.django_db(transaction=True)
def test_where_nobody_is_told_it_says_why(anna: User, queue: RecordingQueue) -> None:
    working = meanwhile(work)
    printed = send("hello", "--watch", "--timeout", "20")
    working.join()
    assert printed.splitlines()[1:] == [
        "Nobody is told:",
        "  anna, “Addressed to me”: filter “Addressed to me”, addressed: asks for yes, the event has no",
    ]


def test_it_stops_watching_when_time_runs_out(anna: User, queue: RecordingQueue) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("send", "x", "--watch", "--timeout", "0.2", stdout=out, stderr=out)
    assert ended.value.code == 1
    assert "Not ended in time" in out.getvalue()
