"""Dead letters: looked at, tried again, given up."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.api import dead_letters
from notifier.intake.ingesting import ingest
from notifier.models import Delivery, Event, QuarantinedEvent, Source
from tests.api.conftest import Ask, asker, problem, token_of
from tests.api.test_deliveries import Add, add, failed, ids  # noqa: F401 - a fixture
from tests.conftest import add_phone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REPLAY = "/dead-letters/deliveries/replay"


@pytest.fixture
def ask(admin_user: User) -> Ask:
    """Asks for an operator who may do everything."""
    return asker(token_of(admin_user, "operate"))


@pytest.fixture
def letters(anna: User, add: Add) -> dict[str, Delivery]:  # noqa: F811
    """Three that failed, one a minute, and one that did not."""
    phone = add_phone(anna)
    found = {"sent": add()}
    kinds: dict[str, dict[str, Any]] = {
        "first": {},
        "second": {"reason": "timeout"},
        "third": {"medium": "sms", "destination": phone},
    }
    for minute, (name, columns) in enumerate(kinds.items()):
        found[name] = failed(add, minute=minute, **columns)
        at = timezone.now() - dt.timedelta(minutes=10 - minute)
        Delivery.objects.filter(pk=found[name].pk).update(finished_at=at)
    return found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["third", "second", "first"]),
        ("medium=email", ["second", "first"]),
        ("reason=timeout", ["second"]),
        ("user=anna", ["third", "second", "first"]),
        ("user=admin", []),
        ("destination={phone}", ["third"]),
        ("since={since}", ["third"]),
        ("until={since}", ["second", "first"]),
    ],
)
def test_what_failed_is_listed_last_first(
    ask: Ask, letters: dict[str, Delivery], asked: str, found: list[str]
) -> None:
    since = timezone.now() - dt.timedelta(minutes=8, seconds=30)
    named = {
        "phone": letters["third"].destination_id,
        "since": since.isoformat().replace("+00:00", "Z"),
    }
    answer = ask("GET", f"/dead-letters/deliveries?{asked.format(**named)}")
    assert ids(answer) == [letters[name].pk for name in found]


def test_pages_follow_each_other(ask: Ask, letters: dict[str, Delivery]) -> None:
    page = ask("GET", "/dead-letters/deliveries?limit=2")
    assert ids(page) == [letters["third"].pk, letters["second"].pk]
    following = ask("GET", f"/dead-letters/deliveries?limit=2&cursor={page.json()['next']}")
    assert ids(following) == [letters["first"].pk]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"all": True}, {"first", "second", "third"}),
        ({"medium": "email"}, {"first", "second"}),
        ({"medium": "email", "reason": "timeout"}, {"second"}),
        ({"ids": ["first", "sent"]}, {"first"}),
        ({"ids": ["first", "third"], "medium": "email"}, {"first"}),
        ({"until": "2000-01-01T00:00:00Z"}, set()),
    ],
)
def test_the_chosen_are_due_again(
    ask: Ask, letters: dict[str, Delivery], body: dict[str, Any], found: set[str]
) -> None:
    if "ids" in body:
        body = {**body, "ids": [letters[name].pk for name in body["ids"]]}
    answer = ask("POST", REPLAY, body)
    assert answer.status_code == 200
    assert answer.json() == {"replayed": len(found), "more": False}
    pending = set(Delivery.objects.filter(state="pending").values_list("pk", flat=True))
    assert pending == {letters[name].pk for name in found}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rate": 5},
        {"all": False},
        {"all": True, "medium": "email"},
        {"ids": []},
        {"ids": [1] * 1001},
        {"rate": 0, "all": True},
        {"medium": "email", "user": "nobody"},
        {"medium": "email", "since": "today"},
        {"mediums": "email"},
    ],
)
def test_a_choice_that_is_none_is_refused(
    ask: Ask, letters: dict[str, Delivery], body: dict[str, Any]
) -> None:
    assert problem(ask("POST", REPLAY, body), 422)["errors"]
    assert not Delivery.objects.filter(state="pending").exists()


def test_a_call_replays_so_many_and_says_that_there_are_more(
    ask: Ask, letters: dict[str, Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MOST_REPLAYED", 2)
    assert ask("POST", REPLAY, {"all": True}).json() == {"replayed": 2, "more": True}
    assert ask("POST", REPLAY, {"all": True}).json() == {"replayed": 1, "more": False}


def test_so_many_become_due_each_second(ask: Ask, letters: dict[str, Delivery]) -> None:
    ask("POST", REPLAY, {"all": True, "rate": 1})
    due = sorted(Delivery.objects.filter(state="pending").values_list("due_at", flat=True))
    assert [round((each - due[0]).total_seconds()) for each in due] == [0, 1, 2]


@pytest.fixture
def refused(db: None) -> list[QuarantinedEvent]:
    """Two events whose source isn't there, and one that is none."""
    for number, each in enumerate(
        [{"description": "x", "source": "new"}, {"description": "y", "source": "new"}, 7]
    ):
        ingest(each, f"message {number}")
    return list(QuarantinedEvent.objects.order_by("pk"))


def test_refused_events_are_listed_and_shown_as_they_came(
    ask: Ask, refused: list[QuarantinedEvent]
) -> None:
    path = "/dead-letters/refused"
    assert ids(ask("GET", path)) == [each.pk for each in reversed(refused)]
    assert ids(ask("GET", f"{path}?source=new&limit=1")) == [refused[1].pk]
    assert ids(ask("GET", f"{path}?resolved=true")) == []
    shown = ask("GET", f"{path}/{refused[0].pk}").json()
    assert shown["payload"] == '{"description": "x", "source": "new"}'
    assert shown["reason"].startswith("source: there is no source 'new'")
    assert "payload" not in ask("GET", path).json()["items"][0]
    problem(ask("GET", f"{path}/987654"), 404)


def test_what_was_mended_is_accepted(ask: Ask, refused: list[QuarantinedEvent]) -> None:
    Source.objects.create(name="new")
    path = "/dead-letters/refused/retry"
    body = {"ids": [each.pk for each in refused]}
    answer = ask("POST", path, body)
    assert answer.json() == {"accepted": 2, "repeated": 0, "quarantined": 1}
    assert Event.objects.count() == 2
    assert ask("POST", path, body).json() == {"accepted": 0, "repeated": 0, "quarantined": 0}


def test_what_is_given_up_is_listed_no_more(ask: Ask, refused: list[QuarantinedEvent]) -> None:
    path = "/dead-letters/refused/dismiss"
    body = {"ids": [refused[0].pk, refused[2].pk, 987654]}
    assert ask("POST", path, body).json() == {"dismissed": 2}
    assert ask("POST", path, body).json() == {"dismissed": 0}
    assert ids(ask("GET", "/dead-letters/refused")) == [refused[1].pk]
    assert set(ids(ask("GET", "/dead-letters/refused?resolved=true"))) == {
        refused[0].pk,
        refused[2].pk,
    }


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": [1] * 201}, {"ids": ["a"]}, {"ids": [0]}]
)
@pytest.mark.parametrize("what", ["retry", "dismiss"])
def test_refused_events_are_chosen_by_their_ids(ask: Ask, what: str, body: dict[str, Any]) -> None:
    problem(ask("POST", f"/dead-letters/refused/{what}", body), 422)


def test_what_could_not_be_matched_waits_again(ask: Ask, letters: dict[str, Delivery]) -> None:
    event = letters["first"].event
    other = letters["second"].event
    Event.objects.filter(pk=event.pk).update(state="quarantined", dispatch_tries=3)
    body = {"ids": [str(event.pk), str(other.pk)]}
    assert ask("POST", "/dead-letters/unmatched/retry", body).json() == {"waiting": 1}
    event.refresh_from_db()
    other.refresh_from_db()
    assert (event.state, event.dispatch_tries, other.state) == ("accepted", 0, "dispatched")
