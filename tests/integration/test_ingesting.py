"""The queue's way in."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifier.ids import event_id_for, message_event_id
from notifier.intake import ingesting
from notifier.intake.ingesting import MAX_KEPT, MAX_RETURNS, ingest
from notifier.intake.schema import parse_event
from notifier.models import Event, Incident, IngestTry, QuarantinedEvent, Source
from tests.unit.test_schema import BAD_FIELDS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.usefixtures("source")

GOOD = {"description": "Disk full", "source": "shop"}
NO_EVENT = 'event: an event is an object, such as {"description": "disk full", "level": 2}'
ACCEPTED = {"accepted": 1, "repeated": 0, "quarantined": 0}
REPEATED = {"accepted": 0, "repeated": 1, "quarantined": 0}
QUARANTINED = {"accepted": 0, "repeated": 0, "quarantined": 1}


def message() -> str:
    return str(uuid.uuid4())


def test_an_event_is_accepted_under_its_messages_id(source: Source) -> None:
    own = message()
    assert ingest(GOOD, own) == ACCEPTED
    stored = Event.objects.get()
    assert (str(stored.pk), stored.source, stored.description) == (own, source, "Disk full")
    assert not QuarantinedEvent.objects.exists()


def test_the_events_own_name_decides_where_it_has_one() -> None:
    assert ingest({**GOOD, "source_event_id": "7"}, message()) == ACCEPTED
    assert Event.objects.get().pk == event_id_for("shop", "7")
    assert ingest({**GOOD, "source_event_id": "7"}, message()) == REPEATED


def test_a_message_that_comes_twice_is_one_event() -> None:
    own = message()
    payload = {**GOOD, "incident_key": "db1"}
    assert ingest(payload, own) == ACCEPTED
    assert ingest(payload, own) == REPEATED
    assert Event.objects.count() == 1
    assert Incident.objects.get().last_sequence == 1


def test_a_message_id_of_any_form_will_do() -> None:
    assert ingest(GOOD, "job-17") == ACCEPTED
    assert ingest(GOOD, "job-17") == REPEATED
    assert Event.objects.get().pk == message_event_id("job-17")


def test_a_list_that_comes_twice_is_its_events_once() -> None:
    own = message()
    for counts in ({"accepted": 3, "repeated": 0}, {"accepted": 0, "repeated": 3}):
        assert ingest([GOOD] * 3, own) == {**counts, "quarantined": 0}
    assert Event.objects.count() == 3


def test_a_list_with_a_bad_event_accepts_the_others() -> None:
    payload = [GOOD, {**GOOD, "level": 9}, {**GOOD, "description": "Disk on fire"}]
    assert ingest(payload, message()) == {"accepted": 2, "repeated": 0, "quarantined": 1}
    assert set(Event.objects.values_list("description", flat=True)) == {
        "Disk full",
        "Disk on fire",
    }
    row = QuarantinedEvent.objects.get()
    assert row.reason == "level: write a whole number from 1 (critical) to 5 (information)"
    assert json.loads(row.payload) == {**GOOD, "level": 9}
    assert (row.source_name, row.resolved_at) == ("shop", None)


def test_an_empty_list_is_nothing() -> None:
    assert ingest([], message()) == {"accepted": 0, "repeated": 0, "quarantined": 0}


@pytest.mark.parametrize(("fields", "sentence"), BAD_FIELDS)
def test_a_bad_event_is_kept_with_the_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert ingest({**GOOD, **fields}, message()) == QUARANTINED
    row = QuarantinedEvent.objects.get()
    assert row.reason.endswith(sentence)
    assert row.source_name == "shop"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, NO_EVENT),
        ("Disk full", NO_EVENT),
        (5, NO_EVENT),
        (float("nan"), "event: not a finite number"),
        ({}, "description: required"),
        ({"description": "x"}, "source: required: the name of the source that posts"),
        (
            {"description": "x", "source": "bank"},
            "source: there is no source 'bank'; make it with `notifier addsource`",
        ),
        (
            {"description": "x", "source": ["shop"]},
            "source: Input should be a valid string",
        ),
        ({"description": "x", "source": "\0shop"}, "source: holds a NUL character; remove it"),
        (
            {"description": "x", "source": "shop\ud800"},
            "source: holds half of a surrogate pair, which is no character",
        ),
        ({**GOOD, "recipients": ["nobody"]}, "recipients[0]: there is no user 'nobody'"),
    ],
)
def test_what_is_no_event_is_kept_with_the_reason(payload: object, reason: str) -> None:
    assert ingest(payload, message()) == QUARANTINED
    row = QuarantinedEvent.objects.get()
    assert row.reason == reason
    assert json.dumps(json.loads(row.payload)) == json.dumps(payload)
    assert not Event.objects.exists()


def test_a_list_in_a_list_is_kept() -> None:
    assert ingest([[GOOD]], message()) == QUARANTINED
    assert QuarantinedEvent.objects.get().reason == NO_EVENT


def test_another_body_under_a_known_name_is_kept() -> None:
    ingest({**GOOD, "source_event_id": "7"}, message())
    assert ingest({**GOOD, "source_event_id": "7", "level": 1}, message()) == QUARANTINED
    assert "was accepted before with another body" in QuarantinedEvent.objects.get().reason
    assert Event.objects.get().level == 5


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff\0"])
def test_what_no_database_holds_is_kept_escaped(text: str) -> None:
    payload = {**GOOD, "source": text, "description": text, "metadata": {text: text}}
    assert ingest(payload, message()) == QUARANTINED
    row = QuarantinedEvent.objects.get()
    assert json.loads(row.payload) == payload
    assert row.payload.isascii()
    assert row.source_name == text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def test_of_a_payload_of_a_megabyte_64_kib_are_kept() -> None:
    assert ingest({**GOOD, "description": "x" * 1_000_000}, message()) == QUARANTINED
    row = QuarantinedEvent.objects.get()
    assert len(row.payload) == MAX_KEPT == 65_536
    assert row.payload.startswith('{"description": "xxx')
    assert row.reason == (
        "only the first 65,536 of 1,000,037 characters are kept; "
        "description: String should have at most 16384 characters"
    )


def test_a_payload_of_bottomless_depth_is_kept_in_name() -> None:
    payload: dict[str, object] = {}
    inner = payload
    for _ in range(100_000):
        inner["a"] = inner = {}
    assert ingest({**GOOD, "metadata": payload}, message()) == QUARANTINED
    row = QuarantinedEvent.objects.get()
    assert row.reason.endswith("nested more than 20 deep")
    assert row.payload == '"(nested too deeply to be kept)"'
    assert row.source_name == "shop"


def test_a_reason_of_ten_thousand_tags_is_cut() -> None:
    ingest({**GOOD, "tags": [f"bad{number}" for number in range(10_000)]}, message())
    assert len(QuarantinedEvent.objects.get().reason) == 4096


def test_a_database_that_is_away_is_raised_so_that_the_message_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(ingesting, "accept", refuse)
    with pytest.raises(OperationalError):
        ingest(GOOD, message())
    assert not QuarantinedEvent.objects.exists()


def test_no_text_of_an_event_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ingest({**GOOD, "description": "S3CR3T", "level": 9}, message())
    assert f"quarantined event {QuarantinedEvent.objects.get().pk}" in caplog.text
    assert "S3CR3T" not in caplog.text


# the admin's "Try again"


@pytest.fixture
def act(admin_client: Client) -> Any:
    """Run an action of the admin on every refused event; returns what it says."""

    def run(action: str) -> list[str]:
        answer = admin_client.post(
            reverse("admin:notifier_quarantinedevent_changelist"),
            {
                "action": action,
                "_selected_action": list(QuarantinedEvent.objects.values_list("pk", flat=True)),
            },
            follow=True,
        )
        assert answer.status_code == 200
        return [str(each) for each in answer.context["messages"]]

    return run


def test_tried_again_after_the_cause_was_mended_it_is_accepted(act: Any) -> None:
    own = message()
    ingest({**GOOD, "source": "bank"}, own)
    Source.objects.create(name="bank")
    assert act("try_again") == ["1 accepted, 0 were here before, 0 refused again."]
    stored = Event.objects.get()
    assert (str(stored.pk), stored.source.name) == (own, "bank")
    assert QuarantinedEvent.objects.get().resolved_at is not None


def test_a_message_that_came_twice_is_one_event_also_when_tried_again(act: Any) -> None:
    own = message()
    for _ in range(2):
        ingest([GOOD, {**GOOD, "recipients": ["bob"]}], own)
    get_user_model().objects.create_user("bob")
    assert act("try_again") == ["1 accepted, 1 were here before, 0 refused again."]
    assert Event.objects.count() == 2


def test_tried_again_with_its_cause_unmended_it_is_refused_again(act: Any) -> None:
    ingest({**GOOD, "source": "bank"}, message())
    assert act("try_again") == ["0 accepted, 0 were here before, 1 refused again."]
    first, second = QuarantinedEvent.objects.order_by("pk")
    assert first.resolved_at is not None
    assert second.resolved_at is None
    assert second.reason == first.reason
    assert second.event_id == first.event_id


def test_what_was_cut_off_is_refused_again(act: Any) -> None:
    ingest({**GOOD, "description": "x" * 1_000_000}, message())
    assert act("try_again") == ["0 accepted, 0 were here before, 1 refused again."]
    assert QuarantinedEvent.objects.get(resolved_at=None).reason.endswith(NO_EVENT)


def test_what_is_dealt_with_is_not_tried_again(act: Any) -> None:
    ingest({**GOOD, "source": "bank"}, message())
    assert act("give_up") == ["1 marked as dealt with."]
    Source.objects.create(name="bank")
    assert act("try_again") == ["0 accepted, 0 were here before, 0 refused again."]
    assert not Event.objects.exists()


def test_only_who_may_change_refused_events_may_deal_with_them(
    client: Client, django_user_model: type[User]
) -> None:
    ingest({**GOOD, "source": "bank"}, message())
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(
        *viewer.user_permissions.model.objects.filter(codename="view_quarantinedevent")
    )
    client.force_login(viewer)
    page = client.get(reverse("admin:notifier_quarantinedevent_changelist"))
    assert page.status_code == 200
    assert "try_again" not in page.content.decode()


# a message that comes again


def returns() -> list[int]:
    return list(IngestTry.objects.values_list("returns", flat=True))


def test_a_message_that_comes_again_leaves_no_count_once_it_is_stored() -> None:
    own = message()
    assert ingest(GOOD, own, again=True) == ACCEPTED
    assert ingest(GOOD, own, again=True) == REPEATED
    assert ingest({**GOOD, "level": 9}, message(), again=True) == QUARANTINED
    assert returns() == []


def test_a_message_that_comes_for_the_first_time_is_not_counted() -> None:
    with CaptureQueriesContext(connection) as captured:
        ingest(GOOD, message())
    assert not [query for query in captured if "ingesttry" in query["sql"]]


class Killed(BaseException):
    """The end of a process, as far as a test can have it."""


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process die of what is described as deadly."""
    whole = parse_event

    def parse_or_die(payload: Any) -> Any:
        if payload["description"] == "deadly":
            raise Killed
        return whole(payload)

    monkeypatch.setattr(ingesting, "parse_event", parse_or_die)


def test_after_three_deaths_it_is_kept_in_quarantine_and_its_list_is_stored(deadly: None) -> None:
    own = message()
    payload = [GOOD, {**GOOD, "description": "deadly"}, GOOD]
    for again in (False, True, True):
        with pytest.raises(Killed):
            ingest(payload, own, again=again)
    assert returns() == [2]
    assert ingest(payload, own, again=True) == {"accepted": 1, "repeated": 1, "quarantined": 1}
    row = QuarantinedEvent.objects.get()
    assert row.reason == "its process died 3 times in turn; trying it again may end another one"
    assert (json.loads(row.payload), row.event_id) == (payload[1], message_event_id(own, 1))
    assert returns() == []


def test_a_database_that_is_away_is_no_death(monkeypatch: pytest.MonkeyPatch) -> None:
    own = message()
    with monkeypatch.context() as patched:

        def refuse(*_args: object, **_options: object) -> None:
            raise OperationalError("gone")

        patched.setattr(ingesting, "accept", refuse)
        for _ in range(MAX_RETURNS + 1):
            with pytest.raises(OperationalError):
                ingest(GOOD, own, again=True)
    assert returns() == []
    assert ingest(GOOD, own, again=True) == ACCEPTED


@contextmanager
def events_locked() -> Iterator[None]:
    """Let nobody store an event, by a connection of another's."""
    if connection.vendor == "postgresql":
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("LOCK TABLE notifier_event IN EXCLUSIVE MODE")
            yield
        return
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held_too_long_is_no_death(settings: Any) -> None:
    settings.NOTIFIER_HARD_TIME_LIMIT_S = 0.4
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 100")
    own = message()
    with events_locked():
        for _ in range(MAX_RETURNS + 1):
            with pytest.raises(OperationalError):
                ingest(GOOD, own, again=True)
    connection.close()
    assert returns() == []
    assert ingest(GOOD, own, again=True) == ACCEPTED
