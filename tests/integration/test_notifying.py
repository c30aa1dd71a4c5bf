"""`notify()` in a Django project."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier import notify, notify_many
from notifier.client import Notifier
from notifier.delivering.claiming import claim_deliveries
from notifier.delivering.dispatching import dispatch
from notifier.delivering.sweeping import sweep
from notifier.errors import ConflictingEvent, InvalidEvent
from notifier.ids import event_id_for
from notifier.intake.sources import source_named
from notifier.models import Delivery, Event, Incident, Source
from notifier.models.event import Level
from tests.recording import RecordingQueue
from tests.unit.test_schema import BAD_FIELDS, RECIPIENTS, TAGS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

# what `notify()` has no argument for, or leaves out when it is None
FOREIGN = {"colour", "k" * 1_000_000, "actor", "traceparent"}
BAD_ARGUMENTS = [
    (fields, sentence)
    for fields, sentence in BAD_FIELDS
    if not FOREIGN & fields.keys() and None not in fields.values()
]


def test_an_event_is_stored_when_it_returns(anna: User) -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    found = notify(
        "Order shipped",
        type="CHI",
        level=2,
        tags=["order=7"],
        incident_key="order-7",
        recipients=["anna"],
        timestamp=moment,
        details_url="https://shop.example/7",
        metadata={"parcels": [1, 2]},
        source_event_id="7-shipped",
        expires=moment,
    )
    stored = Event.objects.get()
    assert stored.pk == found == event_id_for("local", "7-shipped")
    assert (stored.source.name, stored.source_event_id) == ("local", "7-shipped")
    assert (stored.description, stored.type, stored.level) == ("Order shipped", "CHI", 2)
    assert (stored.tags, stored.recipients) == (["order=7"], ["anna"])
    assert (stored.timestamp, stored.expires) == (moment, moment)
    assert stored.details_url == "https://shop.example/7"
    assert stored.metadata == {"parcels": [1, 2]}
    assert stored.incident == Incident.objects.get()
    assert (stored.sequence, stored.open, stored.acked) == (1, True, False)


@pytest.mark.parametrize(
    "tags",
    [
        ["host=db1", "port=80"],
        ("host=db1", "port=80"),
        {"host": "db1", "port": "80"},
        types.MappingProxyType({"host": "db1", "port": "80"}),
        dict.fromkeys(["host=db1", "port=80"]).keys(),
    ],
)
def test_tags_come_in_any_form(tags: Any) -> None:
    assert Event.objects.get(pk=notify("x", tags=tags)).tags == ["host=db1", "port=80"]


def test_recipients_come_from_any_iterable(anna: User) -> None:
    for recipients in (["anna"], ("anna",), {"anna"}, (name for name in ["anna"])):
        assert Event.objects.get(pk=notify("x", recipients=recipients)).recipients == ["anna"]


def test_metadata_may_be_any_mapping() -> None:
    found = notify("x", metadata=types.MappingProxyType({"a": 1}))
    assert Event.objects.get(pk=found).metadata == {"a": 1}


def test_none_says_the_same_as_leaving_out() -> None:
    found = Event.objects.get(pk=notify("x", level=None, tags=None, metadata=None, expires=None))
    assert (found.level, found.tags, found.metadata, found.expires) == (5, [], {}, None)


def test_an_empty_list_of_tags_is_no_tags() -> None:
    assert Event.objects.get(pk=notify("x", tags=[])).tags == []


def test_djangos_own_types_are_taken() -> None:
    found = notify(mark_safe("<b>x</b>"), level=Level.HIGH, type=Event.Type.START, incident_key="a")
    stored = Event.objects.get(pk=found)
    assert (stored.description, stored.level, stored.type) == ("<b>x</b>", 2, "STA")


def test_a_lazy_translation_is_refused_with_the_fields_name() -> None:
    with pytest.raises(InvalidEvent, match=r"^description: Input should be a valid string$"):
        notify(gettext_lazy("Order shipped"))  # type: ignore[arg-type]


# bad input


@pytest.mark.parametrize(("fields", "sentence"), BAD_ARGUMENTS)
def test_a_bad_argument_is_named_and_nothing_is_stored(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        notify(**{"description": "Disk full", **fields})
    assert str(refused.value) == sentence
    assert not Event.objects.exists()
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tags": 5}, f"tags: {TAGS}"),
        ({"tags": b"a=b"}, f"tags[0]: {TAGS}"),
        ({"recipients": 5}, f"recipients: {RECIPIENTS}"),
        ({"recipients": {"anna": 1}}, f"recipients: {RECIPIENTS}"),
        ({"metadata": 5}, 'metadata: write an object, such as {"rack": 7}'),
        ({"timestamp": dt.date(2026, 1, 1)}, "timestamp: write a time as ISO 8601"),
        ({"timestamp": dt.datetime(2026, 1, 1)}, "timestamp: has no time zone: add an offset"),  # noqa: DTZ001
        ({"timestamp": dt.datetime.max.replace(tzinfo=dt.UTC)}, "timestamp: must lie between"),
        ({"timestamp": dt.datetime.min.replace(tzinfo=dt.UTC)}, "timestamp: must lie between"),
        ({"description": None}, "description: required"),
    ],
)
def test_a_wrong_type_is_no_traceback(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        notify(**{"description": "Disk full", **fields})
    assert str(refused.value).startswith(sentence)


def test_an_invalid_event_is_a_value_error_that_lists_its_problems() -> None:
    with pytest.raises(ValueError, match="level") as refused:
        notify("x", level=9, recipients=["nobody"])
    assert isinstance(refused.value, InvalidEvent)
    assert [problem.field for problem in refused.value.problems] == ["level"]


def test_an_unknown_recipient_is_named(anna: User) -> None:
    with pytest.raises(InvalidEvent, match=r"^recipients\[1\]: there is no user 'nobody'$"):
        notify("x", recipients=["anna", "nobody"])
    assert not Event.objects.exists()


def test_an_event_that_has_expired_is_accepted_and_told_to_nobody(
    anna: User, mailoutbox: list[object]
) -> None:
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    found = notify("x", recipients=["anna"], expires=ago)
    assert Event.objects.get().pk == found
    dispatch()
    assert claim_deliveries("email", 10) is None
    sweep()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("cancelled", "expired")
    assert mailoutbox == []


# sources


def test_the_sites_own_source_is_made_once() -> None:
    notify("one", source="local")
    notify("two")
    notify("three", source="local")
    assert Source.objects.get().name == "local"
    assert Event.objects.count() == 3


def test_the_sites_own_source_has_the_name_of_the_setting(settings: Any) -> None:
    settings.NOTIFIER_DEFAULT_SOURCE = "intranet"
    assert Event.objects.get(pk=notify("x")).source.name == "intranet"


def test_another_source_must_exist(source: Source) -> None:
    assert Event.objects.get(pk=notify("x", source="shop")).source == source
    with pytest.raises(InvalidEvent) as refused:
        notify("x", source="bank")
    assert str(refused.value) == (
        "source: there is no source 'bank'; make it with `notifier addsource`"
    )
    assert not Source.objects.filter(name="bank").exists()


# repeats


def test_a_repeat_returns_the_same_id_and_another_body_is_a_conflict() -> None:
    first = notify("Order shipped", source_event_id="7")
    assert notify("Order shipped", source_event_id="7") == first
    with pytest.raises(ConflictingEvent):
        notify("Order lost", source_event_id="7")
    assert Event.objects.count() == 1


def test_the_bare_client_names_the_same_event_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.client.over_redis.publish_many", lambda *_args, **_options: None)
    sent = Notifier("redis://localhost", source="local").send("x", source_event_id="7")
    assert sent == notify("x", source_event_id="7")


# transactions


def test_outside_a_transaction_the_nudge_follows_at_once(
    transactional_db: None, queue: RecordingQueue
) -> None:
    assert queue.dispatched == [notify("x")]


def test_inside_a_transaction_it_belongs_to_it(
    transactional_db: None, queue: RecordingQueue
) -> None:
    with transaction.atomic():
        found = notify("x")
        assert queue.dispatched == []
    assert queue.dispatched == [found]

    def fail() -> None:
        with transaction.atomic():
            notify("y")
            raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError):
        fail()
    assert queue.dispatched == [found]
    assert Event.objects.get().pk == found


def test_a_refused_event_leaves_the_callers_transaction_usable(source: Source) -> None:
    notify("x", source_event_id="1")
    with transaction.atomic():
        with pytest.raises(ConflictingEvent):
            notify("y", source_event_id="1")
        with pytest.raises(InvalidEvent):
            notify("y", recipients=["nobody"])
        notify("z")
    assert set(Event.objects.values_list("description", flat=True)) == {"x", "z"}


def test_a_caller_whose_transaction_failed_later_tells_nobody(
    transactional_db: None, queue: RecordingQueue, source: Source
) -> None:
    def fail() -> None:
        with transaction.atomic():
            notify("x")
            Source.objects.create(name="shop")

    with pytest.raises(IntegrityError):
        fail()
    assert not Event.objects.exists()
    assert queue.dispatched == []


# `notify_many()`


def many(**fields: Any) -> list[dict[str, Any]]:
    return [{"description": "first"}, {"description": "second", **fields}]


def test_many_are_stored_in_their_order_and_the_queue_hears_of_them_once(
    queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        found = notify_many({"description": f"event {number}"} for number in range(1200))
    stored = Event.objects.in_bulk(found)
    assert [stored[each].description for each in found] == [f"event {n}" for n in range(1200)]
    assert len(callbacks) == 1
    assert queue.dispatched == found


def test_of_none_nothing_is_stored() -> None:
    assert notify_many([]) == []
    assert not Event.objects.exists()


def test_every_bad_one_of_many_is_named_and_none_is_stored(anna: User) -> None:
    with pytest.raises(InvalidEvent) as caught:
        notify_many([*many(level=6), {}, "text"])  # type: ignore[list-item] # what is tested
    assert [each.field for each in caught.value.problems] == [
        "[1].level",
        "[2].description",
        "[3]",
    ]
    with pytest.raises(InvalidEvent, match=r"^\[1\]\.recipients\[1\]: there is no user 'nobody'$"):
        notify_many(many(recipients=("anna", "nobody")))
    with pytest.raises(InvalidEvent, match=r"^\[0\]\.recipients\[0\]: there is no user 'nobody'$"):
        notify_many([{"description": "only", "recipients": {"nobody"}}])
    assert not Event.objects.exists()


def test_many_are_of_one_source(source: Source) -> None:
    notify_many(many(source="shop"), source="shop")
    assert {event.source.name for event in Event.objects.all()} == {"shop"}
    with pytest.raises(InvalidEvent, match=r"^\[1\]\.source: all are of source 'local';"):
        notify_many(many(source="shop"))
    with pytest.raises(InvalidEvent, match=r"^source: there is no source 'bank'"):
        notify_many(many(), source="bank")
    assert Event.objects.count() == 2


def test_too_many_are_refused() -> None:
    with pytest.raises(
        InvalidEvent, match=r"^events: a list holds 1 to 10000 events; this one 10001"
    ):
        notify_many([{"description": "x"}] * 10_001)


def test_many_belong_to_the_callers_transaction(source: Source) -> None:
    with transaction.atomic():
        notify_many(many(incident_key="db1"))
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    with transaction.atomic():
        notify("kept", source_event_id="1")
        with pytest.raises(ConflictingEvent):
            notify_many(many(source_event_id="1"))
    assert [event.description for event in Event.objects.all()] == ["kept"]


MINUTES = st.integers(0, 9).map(lambda minute: dt.datetime(2026, 3, 1, 12, minute, tzinfo=dt.UTC))
stateless = st.fixed_dictionaries(
    {"description": st.sampled_from("abc"), "timestamp": MINUTES},
    optional={
        "level": st.integers(0, 5),
        "tags": st.sampled_from([["host=db1"], {"host": "db1"}, {"host=db1"}, ["bad"], None]),
        "metadata": st.sampled_from([{}, {"rack": [7, "ü"]}, None]),
        "recipients": st.sampled_from([["anna"], {"anna"}, ["nobody"], None]),
        "source_event_id": st.sampled_from("123"),
        "expires": MINUTES,
        "details_url": st.just("https://shop.example/7"),
    },
)
stateful = st.builds(
    lambda event, key, kind: {**event, "incident_key": key, "type": kind},
    stateless,
    st.sampled_from("xy"),
    st.sampled_from(["STA", "END", "CHI", "RES", "CLO", "REO", "ACK", "OTH", None]),
)


def tables(ids: list[Any]) -> dict[str, Any]:
    """Return all that is stored, without what each storing makes anew, the events as they were posted."""
    new = {"id", "received", "incident_id"}
    events = Event.objects.select_related("incident").in_bulk()
    places = {each: place for place, each in reversed(list(enumerate(ids)))}

    def columns(row: Any) -> dict[str, Any]:
        names = {field.attname for field in row._meta.concrete_fields}
        return {name: getattr(row, name) for name in names - new}

    return {
        "answered": [places[each] for each in ids],
        "named": {each for each in ids if events[each].source_event_id},
        "events": {
            places[pk]: (columns(row), row.incident and row.incident.incident_key)
            for pk, row in events.items()
        },
        "incidents": {row.incident_key: columns(row) for row in Incident.objects.all()},
    }


def outcome(post: Callable[[], list[Any]]) -> object:
    """Return what posting stored, or how it was refused; undo it."""
    with transaction.atomic():
        try:
            found: object = tables(post())
        except (InvalidEvent, ConflictingEvent) as error:
            found = type(error)
        transaction.set_rollback(True)
    return found


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(stateless | stateful, min_size=1, max_size=6))
def test_many_come_to_what_each_would_by_itself(anna: User, events: list[dict[str, Any]]) -> None:
    source_named(None)  # made before, as it is not what is undone
    one_by_one = outcome(lambda: [notify(**each) for each in events])
    at_once = outcome(lambda: notify_many(events))
    if one_by_one is ConflictingEvent and at_once is InvalidEvent:
        return  # a bad event comes after the conflict, and a list is looked through first
    assert at_once == one_by_one
