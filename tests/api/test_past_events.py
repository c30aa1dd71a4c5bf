"""Events, listed, shown and explained: each to whom it may concern."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission

from notifier.api import explained
from notifier.api.past_events import AskedEvents
from notifier.delivering.dispatching import dispatch
from notifier.explaining import Explanation, History, Try, Verdict
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Delivery, Event, Incident, Source
from tests.api.conftest import Ask, asker, problem, token_of
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Post = Callable[..., Event]


@pytest.fixture
def post(source: Source) -> Post:
    """Post an event of the shop's."""

    def post(description: str = "Disk full", **sent: Any) -> Event:
        [accepted] = accept([parse_event({"description": description, **sent})], source)
        return Event.objects.get(pk=accepted.id)

    return post


def allow(user: User, *names: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [each["id"] for each in answer.json()["items"]]


def test_what_is_nobodys_is_listed_newest_first_and_shown(ask: Ask, post: Post) -> None:
    first, second = post(tags=["host=db1"], metadata={"rack": 7}), post()
    assert ids(ask("GET", "/events")) == [str(second.pk), str(first.pk)]
    page = ask("GET", "/events?limit=1")
    assert ids(ask("GET", f"/events?limit=1&cursor={page.json()['next']}")) == [str(first.pk)]
    shown = ask("GET", f"/events/{first.pk}").json()
    assert shown["source"] == "shop"
    assert (shown["tags"], shown["metadata"]) == (["host=db1"], {"rack": 7})
    assert (shown["state"], shown["recipients"]) == ("accepted", None)


def test_what_is_anothers_is_not_there(ben: User, ask: Ask, post: Post) -> None:
    event = post(recipients=["anna"])
    other = asker(token_of(ben))
    assert ids(other("GET", "/events")) == []
    for path in (f"/events/{event.pk}", f"/events/{event.pk}/explain"):
        problem(other("GET", path), 404)
        assert ask("GET", path).status_code == 200


def test_one_sees_oneself_among_recipients(ben: User, ask: Ask, post: Post) -> None:
    event = post(recipients=["anna", "ben"])
    assert ask("GET", f"/events/{event.pk}").json()["recipients"] == ["anna"]
    allow(ben, "view_event")
    operator = asker(token_of(ben))
    assert operator("GET", f"/events/{event.pk}").json()["recipients"] == ["anna", "ben"]
    narrow = asker(token_of(ben, "read"))
    assert narrow("GET", f"/events/{event.pk}").json()["recipients"] == ["ben"]


def test_operators_see_all(anna: User, ben: User, post: Post) -> None:
    event = post(recipients=["anna"])
    allow(ben, "view_event")
    assert ids(asker(token_of(ben))("GET", "/events")) == [str(event.pk)]
    assert ids(asker(token_of(ben, "read"))("GET", "/events")) == []


FILTERED = [
    ("source=shop", {"plain", "bad", "start", "end"}),
    ("source=bank", set()),
    ("type=STA", {"start"}),
    ("max_level=2", {"bad", "start"}),
    ("tag=host=db1", {"bad", "start"}),
    ("tag=host=db1&tag=site=oslo", {"start"}),
    ("tag=host=db", set()),
    ("tag=host", set()),
    ("open=true", {"start"}),
    ("open=false", {"end"}),
    ("acked=false", {"start", "end"}),
    ("state=accepted", {"plain", "bad", "start", "end"}),
    ("state=late", set()),
    ("since=2000-01-01T00:00:00Z", {"plain", "bad", "start", "end"}),
    ("until=2000-01-01T00:00:00Z", set()),
    ("search=FIRE", {"bad"}),
    ("max_level=2&search=fire", {"bad"}),
]


@pytest.mark.parametrize(("asked", "found"), FILTERED)
def test_they_are_filtered(ask: Ask, post: Post, asked: str, found: set[str]) -> None:
    rows = {
        "plain": post(),
        "bad": post("Disk on fire", level=1, tags=["host=db1"]),
        "start": post(level=2, incident_key="a", tags=["site=oslo", "host=db1"]),
        "end": post(incident_key="a", type="END"),
    }
    assert set(ids(ask("GET", f"/events?{asked}"))) == {str(rows[name].pk) for name in found}


def test_every_filter_is_tried_above() -> None:
    tried = {part.split("=")[0] for asked, _ in FILTERED for part in asked.split("&")}
    assert set(AskedEvents.model_fields) - {"limit", "cursor"} == tried


@pytest.mark.parametrize(
    "asked", ["type=XYZ", "max_level=0", "max_level=6", "open=perhaps", "state=lost", "tag=%00"]
)
def test_a_question_that_is_none_is_refused(ask: Ask, asked: str) -> None:
    assert asked.split("=", maxsplit=1)[0] in problem(ask("GET", f"/events?{asked}"), 422)["errors"]


def test_eleven_tags_are_too_many(ask: Ask) -> None:
    problem(ask("GET", "/events?" + "&".join(["tag=a=b"] * 11)), 422)


@pytest.mark.parametrize("event_id", ["4711", "0", str(uuid.UUID(int=0))])
def test_what_is_not_there_is_not_found(ask: Ask, event_id: str) -> None:
    assert ask("GET", f"/events/{event_id}").status_code in {404, 422}


def test_one_is_told_why(ask: Ask, anna: User, post: Post) -> None:
    add_profile(anna, {"max_level": 1}, name="Urgent")
    add_profile(anna, {"max_level": 5}, name="All")
    event = post(level=2)
    dispatch()
    answer = ask("GET", f"/events/{event.pk}/explain").json()
    said = {each["name"]: (each["matches"], each["condition"]) for each in answer["verdicts"]}
    assert said["Urgent"] == (False, "filter.max_level")
    assert said["All"] == (True, "")
    [delivery] = answer["deliveries"]
    assert delivery["id"] == Delivery.objects.get().pk
    assert answer["at"] == event.timestamp.isoformat().replace("+00:00", "Z")


def test_one_may_ask_what_if(ask: Ask, anna: User, post: Post) -> None:
    add_profile(anna, {"max_level": 5}, name="All")
    event = post()
    answer = ask("GET", f"/events/{event.pk}/explain?user=anna&at=2026-11-23T22:30:00Z").json()
    assert answer["at"] == "2026-11-23T22:30:00Z"
    problem(ask("GET", f"/events/{event.pk}/explain?at=9999-12-31T23:59:59Z"), 422)
    problem(ask("GET", f"/events/{event.pk}/explain?at=22:30"), 422)


def test_another_is_explained_to_operators_only(
    ben: User, anna: User, post: Post, django_user_model: type[User]
) -> None:
    event = post()
    ask = asker(token_of(ben))
    rights = ("view_event", "view_delivery", "view_notificationprofile")
    for asked in ("user=anna", "everyone=true", "user=nobody", "everyone=true&user=ben"):
        problem(ask("GET", f"/events/{event.pk}/explain?{asked}"), 403)
    for missing in rights:
        allow(ben, *(set(rights) - {missing}))
        problem(asker(token_of(ben))("GET", f"/events/{event.pk}/explain?user=anna"), 403)
        ben.user_permissions.clear()
    allow(ben, *rights)
    ask = asker(token_of(ben))
    answer = ask("GET", f"/events/{event.pk}/explain?user=anna").json()
    assert {each["user"] for each in answer["verdicts"]} == {"anna"}
    unknown = problem(ask("GET", f"/events/{event.pk}/explain?user=nobody"), 422)
    assert unknown["errors"] == {"user": "there is no user 'nobody'"}
    problem(ask("GET", f"/events/{event.pk}/explain?user=anna&everyone=true"), 422)
    narrow = asker(token_of(ben, "read"))
    problem(narrow("GET", f"/events/{event.pk}/explain?user=anna"), 403)


def test_everyone_is_whom_it_reached(
    admin_user: User, anna: User, ben: User, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in (anna, ben):
        add_profile(user, {"max_level": 5}, name="All")
    event = post()
    dispatch()
    ask = asker(token_of(admin_user))
    path = f"/events/{event.pk}/explain?everyone=true"
    answer = ask("GET", path).json()
    assert {each["user"] for each in answer["verdicts"]} == {"anna", "ben"}
    assert answer["others"] > 0
    assert len(answer["deliveries"]) == 2
    monkeypatch.setattr(explained, "MOST_TOLD", 1)
    assert "everyone" in problem(ask("GET", path), 422)["errors"]


@pytest.mark.parametrize(
    ("shown", "said", "kept_back"),
    [
        (explained.Explained, Explanation, set()),
        (explained.ExplainedProfile, Verdict, set()),
        (explained.ExplainedDelivery, History, set()),
        (explained.ExplainedTry, Try, {"worker"}),  # the site's own business
    ],
)
def test_an_explanation_leaves_nothing_out(shown: Any, said: Any, kept_back: set[str]) -> None:
    assert {each.name for each in fields(said)} - kept_back == set(shown.model_fields)


def test_events_of_an_incident_are_listed_as_far_as_they_may_be_seen(
    ask: Ask, ben: User, post: Post
) -> None:
    start = post(incident_key="a")
    private = post(incident_key="a", type="CHI", recipients=["anna"])
    end = post(incident_key="a", type="END")
    path = f"/incidents/{Incident.objects.get().pk}/events"
    assert ids(ask("GET", path)) == [str(each.pk) for each in (end, private, start)]
    other = asker(token_of(ben))
    assert ids(other("GET", path)) == [str(each.pk) for each in (end, start)]
    page = other("GET", f"{path}?limit=1")
    assert ids(page) == [str(end.pk)]
    assert ids(other("GET", f"{path}?limit=1&cursor={page.json()['next']}")) == [str(start.pk)]
