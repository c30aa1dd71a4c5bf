"""The outbox: what is told with a transaction is posted once that commits, in order, and once."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier.client.events import Message
from notifier.errors import InvalidEvent, Problem, QueueUnavailable
from notifier.ids import event_id_for
from notifier.outbox import notify, notify_many, relaying
from notifier.outbox.checks import check_settings
from notifier.outbox.models import OutboxEvent
from notifier.outbox.relaying import Counts, purge, relay

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


class Server:
    """What is posted to: takes, refuses or is away, and knows repeats by their ids."""

    def __init__(self) -> None:
        self.posts: list[list[str]] = []
        self.taken: dict[uuid.UUID, str] = {}
        self.refuses: set[str] = set()
        self.away: QueueUnavailable | None = None
        self.lock = threading.Lock()
        self.then: Callable[[], None] = lambda: None

    def post(self, messages: Sequence[Message]) -> None:
        """Post all or none."""
        if self.away:
            raise self.away
        said = [each.event["description"] for each in messages]
        if wrong := self.refuses.intersection(said):
            raise InvalidEvent([Problem("recipients[0]", f"nobody of {sorted(wrong)}")])
        with self.lock:
            self.posts.append(said)
            self.taken.update({each.id: each.event["description"] for each in messages})
        self.then()

    @property
    def told(self) -> list[str]:
        """What was posted, in order."""
        return [each for post in self.posts for each in post]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(relaying, "_way", lambda *_: found)
    return found


def due() -> None:
    """Let the time pass that waiting rows wait."""
    OutboxEvent.objects.update(next_try=timezone.now() - dt.timedelta(seconds=1))


def test_what_is_rolled_back_is_not_told(server: Server) -> None:
    with transaction.atomic():
        notify("never")
        transaction.set_rollback(True)
    with transaction.atomic():
        found = notify("told", tags={"a": "b"}, level=2)
    assert relay() == Counts(sent=1)
    assert server.taken == {found: "told"}
    assert relay() == Counts()


def test_an_event_has_its_name_and_time_from_the_row_on() -> None:
    found = notify("x")
    row = OutboxEvent.objects.get()
    event = json.loads(row.body)
    assert found == row.event_id == event_id_for("shop", event["source_event_id"])
    assert dt.datetime.fromisoformat(event["timestamp"]) <= timezone.now()
    named = notify("x", source_event_id="order-1")
    assert named == event_id_for("shop", "order-1")
    assert "timestamp" not in json.loads(OutboxEvent.objects.get(event_id=named).body)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@hypothesis_settings(deadline=None)
@given(TEXTS.filter(str.strip), st.dictionaries(TEXTS, NUMBERS | TEXTS))
def test_what_is_posted_is_what_was_given(text: str, metadata: Mapping[str, Any]) -> None:
    OutboxEvent.objects.all().delete()
    notify(text, metadata=metadata, source_event_id="x")
    event = json.loads(OutboxEvent.objects.get().body)
    assert (event["description"], event["metadata"]) == (text, metadata)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"description": ""}, "description"),
        ({"description": "x", "level": 9}, "level"),
        ({"description": "x", "incident_key": "k" * 256}, "incident_key"),
        ({"description": "x", "source": "s" * 256}, "source"),
    ],
)
def test_what_breaks_a_rule_is_told_at_once(wrong: dict[str, Any], field: str) -> None:
    with transaction.atomic():  # which is not spoilt by it
        with pytest.raises(InvalidEvent, match=f"^{field}: "):
            notify(**wrong)
        with pytest.raises(InvalidEvent, match=rf"^\[1\]\.{field}: "):
            notify_many([{"description": "fine"}, wrong])
        assert not OutboxEvent.objects.exists()


def test_a_token_says_who_posts(settings: Settings) -> None:
    notify("by Redis anybody may be named", source="other")
    settings.NOTIFIER_OUTBOX_URL = "https://notifier.example.org/"
    with pytest.raises(InvalidEvent, match=r"^source: leave it out"):
        notify("x", source="other")
    notify("x", source="shop")


def test_a_source_must_be_set(settings: Settings) -> None:
    settings.NOTIFIER_OUTBOX_SOURCE = ""
    with pytest.raises(ImproperlyConfigured, match="NOTIFIER_OUTBOX_SOURCE"):
        notify("x")


def test_many_are_posted_in_their_order_in_batches(server: Server) -> None:
    found = notify_many({"description": str(number)} for number in range(25))
    assert [relay(10).sent for _ in range(4)] == [10, 10, 5, 0]
    assert [len(each) for each in server.posts] == [10, 10, 5]
    assert server.told == [str(number) for number in range(25)]
    assert list(server.taken) == found


def test_large_events_are_split_into_requests(server: Server) -> None:
    notify_many([{"description": "x", "metadata": {"x": "y" * 60_000}}] * 40)
    assert relay() == Counts(sent=40)
    assert [len(each) for each in server.posts] == [17, 17, 6]


def test_what_is_refused_is_kept_with_the_reason_and_the_others_go_on(server: Server) -> None:
    server.refuses = {"3", "7"}
    notify_many({"description": str(number), "incident_key": "k"} for number in range(10))
    assert relay() == Counts(sent=8, refused=2)
    assert server.told == [str(number) for number in range(10) if number not in {3, 7}]
    rows = OutboxEvent.objects.filter(refused_at__isnull=False)
    assert {each.reason[:31] for each in rows} == {
        "recipients[0]: nobody of ['3']",
        "recipients[0]: nobody of ['7']",
    }
    assert relay() == Counts()


def test_while_the_server_is_away_waits_double_and_nothing_is_lost(server: Server) -> None:
    notify("x")
    server.away = QueueUnavailable("https://n can't be reached; post it again")
    waits = []
    for tries in range(1, 7):
        counts = relay()
        assert (counts.delayed, counts.cause) == (1, "https://n can't be reached")
        row = OutboxEvent.objects.get()
        assert (row.tries, row.sent_at, row.reason) == (tries, None, counts.cause)
        assert row.next_try
        waits.append((row.next_try - timezone.now()).total_seconds())
        assert relay() == Counts()  # not due
        due()
    longest = [5, 10, 20, 40, 60, 60]
    assert all(most * 0.79 - 1 < wait <= most for wait, most in zip(waits, longest, strict=True))
    server.away = None
    assert relay() == Counts(sent=1)
    assert OutboxEvent.objects.get().reason == ""


def test_a_server_that_asks_for_time_gets_it(server: Server) -> None:
    notify("x")
    server.away = QueueUnavailable("busy", 60)
    assert relay().retry_after_s == 60


def test_an_event_that_waits_holds_back_the_later_ones_of_its_incident(server: Server) -> None:
    notify("start", incident_key="k")
    server.away = QueueUnavailable("away")
    relay()
    server.away = None
    notify("end", incident_key="k")
    notify("another", incident_key="l")
    notify("of another source", incident_key="k", source="other")
    notify("of none")
    relay()
    assert server.told == ["another", "of another source", "of none"]
    OutboxEvent.objects.filter(tries=1, sent_at=None).update(next_try=None)
    relay()
    assert server.told[3:] == ["start", "end"]


def test_a_later_one_that_must_wait_stops_those_behind_it(server: Server) -> None:
    notify_many({"description": each, "incident_key": "k"} for each in "abc")
    OutboxEvent.objects.filter(body__contains='"b"').update(
        next_try=timezone.now() + dt.timedelta(hours=1)
    )
    assert relay() == Counts(sent=1)
    assert relay() == Counts()
    assert server.told == ["a"]


def test_a_relay_that_dies_after_posting_posts_again_by_the_same_id(server: Server) -> None:
    found = notify("x", incident_key="k")

    def die() -> None:
        raise KeyboardInterrupt

    server.then = die
    with pytest.raises(KeyboardInterrupt):
        relay()
    server.then = lambda: None
    assert relay() == Counts()  # its lease
    due()
    assert relay() == Counts(sent=1)
    assert server.told == ["x", "x"]
    assert server.taken == {found: "x"}


def test_a_relay_whose_lease_ended_marks_nothing_of_the_next_ones(server: Server) -> None:
    notify("x")
    server.then = due  # another one may claim it
    assert relay() == Counts()
    server.then = lambda: None
    assert relay() == Counts(sent=1)


def test_what_a_relay_has_no_time_for_is_due_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify("x")
    monkeypatch.setattr(relaying, "POSTING_S", -1.0)
    assert relay() == Counts()
    monkeypatch.undo()
    monkeypatch.setattr(relaying, "_way", lambda *_: server)
    assert relay() == Counts(sent=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer")
def test_several_relays_post_each_event_once_and_incidents_in_order(server: Server) -> None:
    notify_many(
        {"description": f"{number}", "incident_key": f"k{number % 7}" if number % 3 else None}
        for number in range(600)
    )
    server.then = lambda: time.sleep(0.002)

    def run() -> None:
        try:
            while OutboxEvent.objects.filter(sent_at=None).exists():
                relay(10)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(map(int, server.told)) == list(range(600))
    for key in range(7):
        ours = [int(each) for each in server.told if int(each) % 3 and int(each) % 7 == key]
        assert ours == sorted(ours)


def test_sent_rows_are_deleted_in_time_and_no_others(server: Server, settings: Settings) -> None:
    server.refuses = {"refused"}
    notify_many({"description": each} for each in ("old", "new", "refused"))
    relay()
    notify("waits")
    month = timezone.now() - dt.timedelta(days=30)
    OutboxEvent.objects.exclude(body__contains='"new"').update(created=month)
    OutboxEvent.objects.filter(body__contains='"old"').update(sent_at=month)
    assert purge() == 1
    assert OutboxEvent.objects.count() == 3
    settings.NOTIFIER_OUTBOX_KEEP_DAYS = 0
    assert purge() == 1
    assert not OutboxEvent.objects.filter(sent_at__isnull=False).exists()


def test_the_command_relays_until_nothing_is_due(server: Server) -> None:
    server.refuses = {"3"}
    notify_many({"description": str(number)} for number in range(25))
    out = StringIO()
    call_command("relayoutbox", once=True, batch=10, stdout=out)
    assert out.getvalue() == "24 sent, 1 refused, 0 delayed\n"
    server.away = QueueUnavailable("Redis can't be reached (X); post it again")
    notify("x")
    call_command("relayoutbox", once=True, stdout=(out := StringIO()))
    assert out.getvalue() == "0 sent, 0 refused, 1 delayed: Redis can't be reached (X)\n"


def test_the_command_says_which_setting_is_wrong(settings: Settings) -> None:
    settings.NOTIFIER_OUTBOX_URL = "ftp://x"
    with pytest.raises(CommandError, match="NOTIFIER_OUTBOX_URL"):
        call_command("relayoutbox", once=True)
    settings.NOTIFIER_OUTBOX_URL = ""
    with pytest.raises(CommandError, match="must be set"):
        call_command("relayoutbox", once=True)


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, []),
        ({"URL": None, "SOURCE": ""}, ["E001", "E002"]),
        ({"URL": "https://n.example/"}, ["E003"]),
        ({"URL": "https://n.example/", "TOKEN": "nts_x"}, []),
        ({"URL": "redis://h/0", "TOKEN": "nts_S3CR3T"}, ["E004"]),
        ({"URL": "sentinel://h:1/0"}, ["E004"]),
        ({"URL": "sentinel://h:1/0", "MASTER": "m"}, []),
        ({"KEEP_DAYS": "7"}, ["E005"]),
        ({"KEEP_DAYS": -1}, ["E005"]),
    ],
)
def test_the_check_names_what_is_missing(
    settings: Settings, changes: dict[str, object], ids: list[str]
) -> None:
    for name, value in changes.items():
        setattr(settings, f"NOTIFIER_OUTBOX_{name}", value)
    found = check_settings()
    assert [each.id for each in found] == [f"notifier_outbox.{each}" for each in ids]
    assert "S3CR3T" not in str(found)


def test_the_migration_is_whole() -> None:
    call_command("makemigrations", "notifier_outbox", check_changes=True, verbosity=0)


URL = "/admin/notifier_outbox/outboxevent/"


def test_the_admin_lists_searches_and_tries_again(server: Server, admin_client: Client) -> None:
    server.refuses = {"wrong"}
    notify_many({"description": each} for each in ("wrong", "fine"))
    relay()
    wrong = OutboxEvent.objects.get(refused_at__isnull=False)
    page = admin_client.get(URL, {"state": "refused", "q": "wrong"}).content.decode()
    assert str(wrong.event_id) in page
    assert "nobody of" in page
    assert str(OutboxEvent.objects.get(sent_at__isnull=False).event_id) not in page
    assert admin_client.get(URL, {"q": str(wrong.event_id)}).status_code == 200
    assert admin_client.get(f"{URL}{wrong.pk}/change/").status_code == 200
    ids = list(OutboxEvent.objects.values_list("pk", flat=True))
    admin_client.post(URL, {"action": "try_again", "_selected_action": ids})
    server.refuses = set()
    assert relay() == Counts(sent=1)
    assert server.told == ["fine", "wrong"]


def test_who_may_look_may_not_try_again(server: Server, client: Client) -> None:
    server.refuses = {"wrong"}
    notify("wrong")
    relay()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_outboxevent"))
    client.force_login(viewer)
    assert client.get(URL).status_code == 200
    client.post(URL, {"action": "try_again", "_selected_action": [OutboxEvent.objects.get().pk]})
    assert OutboxEvent.objects.get().refused_at
