"""Deliveries, listed, shown and sent again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from notifier.api import scanning
from notifier.ids import new_event_id
from notifier.models import Attempt, Delivery, Event, Incident, Source
from tests.api.conftest import Ask, asker, problem, token_of
from tests.conftest import add_phone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Add = Callable[..., Delivery]
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture
def add(anna: User, source: Source) -> Add:
    """Add a delivery of Anna's, sent unless it says otherwise."""

    def add(description: str = "Disk full", *, minute: int = 0, **columns: Any) -> Delivery:
        incident = columns.get("incident")
        thread: dict[str, Any] = {"type": "LES"}
        if incident:
            thread = {"type": "CHI", "incident": incident, "open": True, "acked": False}
            thread["sequence"] = columns["sequence"]
        event = Event.objects.create(
            id=new_event_id(),
            source=source,
            level=2,
            description=description,
            timestamp=NOON,
            state="dispatched",
            **thread,
        )
        fields: dict[str, Any] = {
            "destination": anna.destinations.get(media_id="email"),
            "medium": "email",
            "destination_label": "Email",
            "state": "sent",
            **columns,
        }
        if fields["state"] != "pending":
            fields["finished_at"] = NOON
        created = NOON + dt.timedelta(minutes=minute)
        return Delivery.objects.create(event=event, user=anna, urgency=2, created=created, **fields)

    return add


def failed(add: Add, **columns: Any) -> Delivery:
    return add(**{"state": "failed", "reason": "rejected", "attempts": 3, **columns})


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [each["id"] for each in answer.json()["items"]]


def test_they_are_listed_newest_first_page_by_page(ask: Ask, add: Add) -> None:
    rows = [add(minute=minute) for minute in (0, 2, 1)]
    first = ask("GET", "/deliveries?limit=2")
    assert ids(first) == [rows[1].pk, rows[2].pk]
    rest = ask("GET", f"/deliveries?limit=2&cursor={first.json()['next']}")
    assert ids(rest) == [rows[0].pk]
    assert rest.json()["next"] is None


def test_a_page_costs_the_same_however_many_there_are(
    ask: Ask, add: Add, django_assert_num_queries: Any
) -> None:
    ask("GET", "/deliveries")  # notes when the token was used
    for minute in range(5):
        add(minute=minute)
    with django_assert_num_queries(3):  # the token, how far to look, the page
        ask("GET", "/deliveries")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("state=failed", {"failed"}),
        ("state=sent", {"sent", "phone", "thread"}),
        ("reason=rejected", {"failed"}),
        ("medium=sms", {"phone"}),
        ("destination={phone}", {"phone"}),
        ("event={event}", {"failed"}),
        ("incident={incident}", {"thread"}),
        ("since=2026-11-23T12:02:00Z", {"thread", "phone"}),
        ("until=2026-11-23T12:01:00Z", {"sent"}),
        ("search=FIRE", {"thread"}),
        ("search=mobile", {"phone"}),
        ("search=%25", set()),
        ("state=sent&medium=sms", {"phone"}),
        ("user=anna", {"sent", "failed", "thread", "phone"}),
    ],
)
def test_they_are_filtered(  # noqa: PLR0917 - pytest's own
    ask: Ask, anna: User, add: Add, source: Source, asked: str, found: set[str]
) -> None:
    phone = add_phone(anna)
    incident = Incident.objects.create(source=source, incident_key="a", level=2, start_time=NOON)
    rows = {
        "sent": add(),
        "failed": failed(add, minute=1),
        "thread": add("Disk on fire", minute=2, incident=incident, sequence=3),
        "phone": add(minute=3, medium="sms", destination=phone, destination_label="My mobile"),
    }
    named = {"phone": phone.pk, "event": rows["failed"].event_id, "incident": incident.pk}
    answer = ask("GET", f"/deliveries?{asked.format(**named)}")
    assert set(ids(answer)) == {rows[name].pk for name in found}


@pytest.mark.parametrize("what", ["event", "incident"])
def test_an_old_thread_is_found_at_once(
    ask: Ask, add: Add, source: Source, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "MOST_SCANNED", 2)
    incident = Incident.objects.create(source=source, incident_key="a", level=2, start_time=NOON)
    row = add(incident=incident, sequence=1)
    for minute in range(1, 5):
        add(minute=minute)
    assert ids(ask("GET", f"/deliveries?{what}={getattr(row, f'{what}_id')}")) == [row.pk]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("state=lost", "state"),
        ("reason=mood", "reason"),
        ("event=4711", "event"),
        ("incident=0", "incident"),
        ("since=yesterday", "since"),
        ("since=2026-11-23T12:00:00", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("until=9999-12-31T23:59:59-14:00", "until"),
        ("limit=201", "limit"),
        ("colour=red", "colour"),
        ("search=%00", "search"),
    ],
)
def test_a_question_that_is_none_is_refused(ask: Ask, asked: str, field: str) -> None:
    assert field in problem(ask("GET", f"/deliveries?{asked}"), 422)["errors"]


def test_one_is_shown_with_its_tries(ask: Ask, add: Add) -> None:
    row = failed(add)
    Attempt.objects.create(
        delivery=row,
        number=1,
        started_at=NOON,
        duration_ms=210,
        worker="secret-host.example",
        outcome="permanent",
        reason="rejected",
        answer="550 no such user",
    )
    answer = ask("GET", f"/deliveries/{row.pk}")
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["state"], shown["reason"], shown["description"]) == (
        "failed",
        "rejected",
        "Disk full",
    )
    assert shown["tries"] == [
        {
            "number": 1,
            "started_at": "2026-11-23T12:00:00Z",
            "duration_ms": 210,
            "outcome": "permanent",
            "reason": "rejected",
            "answer": "550 no such user",
        }
    ]
    assert "anna@example.org" not in answer.content.decode()


def test_anothers_are_not_there(ben: User, add: Add) -> None:
    row = failed(add)
    ask = asker(token_of(ben))
    assert ids(ask("GET", "/deliveries")) == []
    assert ids(ask("GET", f"/deliveries?event={row.event_id}")) == []
    problem(ask("GET", f"/deliveries/{row.pk}"), 404)
    problem(ask("POST", f"/deliveries/{row.pk}/resend"), 404)
    problem(ask("GET", "/deliveries?user=anna"), 403)
    problem(ask("GET", "/deliveries?user=nobody"), 403)


def test_operators_see_anothers_with_the_scope(ben: User, add: Add) -> None:
    row = failed(add)
    ben.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    ask = asker(token_of(ben))
    assert ids(ask("GET", "/deliveries")) == []
    assert ids(ask("GET", "/deliveries?user=anna")) == [row.pk]
    assert ask("GET", f"/deliveries/{row.pk}").status_code == 200
    assert problem(ask("GET", "/deliveries?user=nobody"), 422)["errors"] == {
        "user": "there is no user 'nobody'"
    }
    problem(ask("POST", f"/deliveries/{row.pk}/resend"), 404)
    narrow = asker(token_of(ben, "read", "write"))
    problem(narrow("GET", "/deliveries?user=anna"), 403)
    problem(narrow("GET", f"/deliveries/{row.pk}"), 404)


def test_what_failed_is_due_again(ask: Ask, add: Add) -> None:
    row = failed(add)
    answer = ask("POST", f"/deliveries/{row.pk}/resend")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 0)
    row.refresh_from_db()
    assert row.state == "pending"
    assert row.due_at <= timezone.now()
    again = problem(ask("POST", f"/deliveries/{row.pk}/resend"), 409)
    assert again["detail"] == "It is pending; only what has failed is sent again."


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda row: row.destination.delete(), "Its destination was deleted."),
        (
            lambda row: type(row.destination).objects.update(disabled_at=NOON),
            "Its destination is disabled",
        ),
        (lambda _row: Event.objects.update(expires=NOON), "The event has expired"),
        (lambda _row: Delivery.objects.update(state="sent", reason=""), "It is sent; only"),
    ],
)
def test_what_can_not_be_sent_again_says_why(
    ask: Ask, add: Add, spoil: Callable[[Delivery], object], sentence: str
) -> None:
    row = failed(add)
    spoil(row)
    answer = problem(ask("POST", f"/deliveries/{row.pk}/resend"), 409)
    assert answer["detail"].startswith(sentence)
