"""A person's timeslots, filters, profiles and preferences by the API."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from notifier.api import owning
from notifier.ids import new_event_id
from notifier.matching import trying
from notifier.models import (
    Delivery,
    Event,
    Filter,
    NotificationProfile,
    Preferences,
    Source,
    TimeRecurrence,
    Timeslot,
)
from tests.api.conftest import Ask, problem
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NIGHTS = {
    "name": "Nights",
    "recurrences": [
        {"days": [7, 1, 1], "start": "22:00", "end": "06:00"},
        {"days": [6], "start": "00:00:00", "end": "23:59:59"},
    ],
}


def made(ask: Ask, path: str, body: object) -> dict[str, Any]:
    answer = ask("POST", path, body)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def errors(answer: Any) -> dict[str, str]:
    found: dict[str, str] = problem(answer, 422)["errors"]
    return found


# timeslots


def test_a_timeslot_is_made_of_recurrences(ask: Ask, anna: User) -> None:
    slot = made(ask, "/timeslots", NIGHTS)
    assert slot["recurrences"] == [
        {"days": [1, 7], "start": "22:00:00", "end": "06:00:00"},
        {"days": [6], "start": "00:00:00", "end": "23:59:59"},
    ]
    rows = anna.timeslots.get(name="Nights").recurrences.order_by("pk")
    assert [(each.days, each.start, each.end) for each in rows] == [
        (0b1000001, dt.time(22), dt.time(6)),
        (0b0100000, dt.time(0), dt.time(23, 59, 59)),
    ]
    assert ask("GET", f"/timeslots/{slot['id']}").json() == slot
    assert [each["name"] for each in ask("GET", "/timeslots").json()["items"]] == [
        "All the time",
        "Nights",
    ]


def test_what_a_change_does_not_name_stays(ask: Ask) -> None:
    slot = made(ask, "/timeslots", NIGHTS)
    path = f"/timeslots/{slot['id']}"
    renamed = ask("PATCH", path, {"name": "Late"}, If_Match="*").json()
    assert renamed == {**slot, "name": "Late"}
    hours = [{"days": [1], "start": "08:00:00", "end": "09:00:00"}]
    assert ask("PATCH", path, {"recurrences": hours}, If_Match="*").json() == {
        **renamed,
        "recurrences": hours,
    }
    assert TimeRecurrence.objects.filter(timeslot=slot["id"]).count() == 1
    assert ask("PATCH", path, {}, If_Match="*").status_code == 200


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"name": "All the time"}, "name", "Constraint “timeslot_name_unique” is violated."),
        ({"name": ""}, "name", "must have at least 1 character"),
        ({"name": None}, "name", "write a text"),
        ({"recurrences": []}, "recurrences", "must have at least 1 item"),
        ({"recurrences": [{"days": [], "start": "08:00", "end": "09:00"}]}, "recurrences[0].days", "must have at least 1 item"),
        ({"recurrences": [{"days": [8], "start": "08:00", "end": "09:00"}]}, "recurrences[0].days[0]", "must be less than or equal to 7"),
        ({"recurrences": [{"days": [1], "start": "24:00", "end": "09:00"}]}, "recurrences[0].start", "write a time of day as hours and minutes, such as 08:00"),
        ({"recurrences": [{"days": [1], "start": "08:00", "end": "09:00", "all_day": True}]}, "recurrences[0].all_day", "unknown field; known are days, end, start"),
        ({"user": 1}, "user", "unknown field; known are name, recurrences"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_timeslot_is_named(
    ask: Ask, change: dict[str, Any], field: str, message: str
) -> None:
    assert errors(ask("POST", "/timeslots", {**NIGHTS, **change})).keys() == {field}
    slot = made(ask, "/timeslots", NIGHTS)
    found = errors(ask("PATCH", f"/timeslots/{slot['id']}", change, If_Match="*"))
    assert found.keys() == {field}
    if field != "name":
        assert found[field] == message
    assert ask("GET", f"/timeslots/{slot['id']}").json() == slot


def test_a_timeslot_in_use_is_not_deleted(ask: Ask, anna: User) -> None:
    slot = anna.timeslots.get()
    refused = problem(ask("DELETE", f"/timeslots/{slot.pk}", If_Match="*"), 409)
    assert refused["detail"] == (
        "This timeslot can't be deleted: it is used by “Addressed to me”; take it out there first."
    )
    other = made(ask, "/timeslots", NIGHTS)["id"]
    assert ask("DELETE", f"/timeslots/{other}", If_Match="*").status_code == 204
    assert list(Timeslot.objects.all()) == [slot]


def test_a_refusal_names_ten_profiles_and_counts_the_rest(ask: Ask, anna: User) -> None:
    for number in range(12):
        add_profile(anna, {"max_level": 1}, name=f"profile {number:02}")
    refused = problem(ask("DELETE", f"/timeslots/{anna.timeslots.get().pk}", If_Match="*"), 409)
    assert "“profile 08” and 3 more; take" in refused["detail"]


# filters


def test_a_filter_is_made_changed_and_deleted(ask: Ask, anna: User) -> None:
    body = {"name": "bad", "conditions": {"max_level": 2, "tags": ["host=~db.*"]}}
    found = made(ask, "/filters", body)
    assert found == {**body, "id": found["id"]}
    path = f"/filters/{found['id']}"
    changed = ask("PATCH", path, {"conditions": {"open": True}}, If_Match="*").json()
    assert changed == {**found, "conditions": {"open": True}}
    assert ask("GET", path).json() == changed
    assert ask("DELETE", path, If_Match="*").status_code == 204
    assert list(Filter.objects.all()) == [anna.notifier_filters.get()]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"max_level": 6}, "max_level: Input should be less than or equal to 5"),
        ({"colour": "red"}, "colour: unknown key; known are sources, source_types, event_types, max_level, tags, open, acked, stateful, addressed"),
        ({"tags": ["host=~("]}, "tags.0: '(' is no RE2 expression (missing ): (); look-around and back-references do not exist there"),
    ],
)  # fmt: skip
def test_conditions_that_can_not_be_judged_are_refused(
    ask: Ask, conditions: object, message: str
) -> None:
    expected = {"conditions": message}
    assert errors(ask("POST", "/filters", {"name": "x", "conditions": conditions})) == expected
    assert errors(ask("POST", "/filters/preview", {"conditions": conditions})) == expected


def test_argus_own_keys_are_kept_as_they_are(ask: Ask) -> None:
    conditions = {"maxlevel": 2, "sourceSystemIds": [1]}
    found = made(ask, "/filters", {"name": "argus", "conditions": conditions})
    assert found["conditions"] == conditions


def test_a_filter_in_use_is_not_deleted(ask: Ask, anna: User) -> None:
    path = f"/filters/{anna.notifier_filters.get().pk}"
    refused = problem(ask("DELETE", path, If_Match="*"), 409)
    assert "it is used by “Addressed to me”" in refused["detail"]


def add_event(source: Source, **columns: Any) -> Event:
    return Event.objects.create(
        **{
            "id": new_event_id(),
            "source": source,
            "type": "LES",
            "level": 3,
            "description": "x",
            "timestamp": timezone.now(),
            "received": timezone.now(),
            **columns,
        }
    )


def test_a_preview_says_which_events_match_and_why_the_others_do_not(
    ask: Ask, source: Source
) -> None:
    bad = add_event(source, level=1, tags=["host=db1"])
    mild = add_event(source, level=4, tags=["host=db1"], description="y" * 300)
    elsewhere = add_event(source, level=2, tags=["host=web"])
    conditions = {"max_level": 2, "tags": ["host=db1"]}
    tried = ask("POST", "/filters/preview", {"conditions": conditions}).json()
    assert tried["matched"] == 1
    assert [
        (each["id"], each["matches"], each["condition"], each["why"]) for each in tried["events"]
    ] == [
        (str(elsewhere.pk), False, "tags", "asks for host=db1, the event has host=web"),
        (str(mild.pk), False, "max_level", "asks for 2, the event has 4"),
        (str(bad.pk), True, "", ""),
    ]
    assert tried["events"][1]["description"] == "y" * 200
    last = ask("POST", "/filters/preview", {"conditions": conditions, "last": 1}).json()
    assert [each["id"] for each in last["events"]] == [str(elsewhere.pk)]


def test_a_preview_of_nothing_matches_nothing(ask: Ask, source: Source) -> None:
    add_event(source)
    [event] = ask("POST", "/filters/preview", {"conditions": {}}).json()["events"]
    assert (event["matches"], event["condition"]) == (False, "empty")


def test_a_preview_shows_what_one_may_see_only(
    ask: Ask, anna: User, ben: User, source: Source
) -> None:
    everybodys = add_event(source)
    annas = add_event(source, recipients=["ben", "anna"])
    bens = add_event(source, recipients=["ben"])
    told = add_event(source, recipients=["ben"])
    for user, event in ((anna, told), (ben, bens)):
        Delivery.objects.create(
            event=event, user=user, destination=user.destinations.get(), medium="email", urgency=3
        )
    tried = ask("POST", "/filters/preview", {"conditions": {"max_level": 5}}).json()["events"]
    assert {each["id"] for each in tried} == {str(each.pk) for each in (everybodys, annas, told)}


def test_a_preview_has_a_bounded_cost(
    ask: Ask, source: Source, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(trying, "MOST_READ", 6)
    add_event(source)
    for _ in range(6):
        add_event(source, recipients=["ben"])
    with django_assert_max_num_queries(8):
        tried = ask("POST", "/filters/preview", {"conditions": {"max_level": 5}}).json()
    assert tried == {"matched": 0, "events": []}


def test_a_preview_wants_the_scope_read_and_stores_nothing(ask: Ask) -> None:
    before = Filter.objects.count()
    assert ask("POST", "/filters/preview", {"conditions": {"open": True}}).status_code == 200
    assert Filter.objects.count() == before


# profiles


@pytest.fixture
def parts(anna: User) -> dict[str, Any]:
    """What Anna has from the first day."""
    return {
        "name": "mine",
        "timeslot": anna.timeslots.get().pk,
        "filters": [anna.notifier_filters.get().pk],
        "destinations": [anna.destinations.get().pk],
    }


def test_a_profile_joins_what_is_ones_own(ask: Ask, anna: User, parts: dict[str, Any]) -> None:
    found = made(ask, "/profiles", parts)
    assert found == {
        **parts,
        "id": found["id"],
        "active": True,
        "paused_until": None,
        "managed": False,
    }
    path = f"/profiles/{found['id']}"
    later = "2036-12-24T12:00:00Z"
    change = {"active": False, "paused_until": later, "destinations": []}
    assert ask("PATCH", path, change, If_Match="*").json() == {**found, **change}
    row = anna.notification_profiles.get(name="mine")
    assert row.paused_until == dt.datetime(2036, 12, 24, 12, tzinfo=dt.UTC)
    assert not row.destinations.exists()
    assert ask("PATCH", path, {"paused_until": None}, If_Match="*").json()["paused_until"] is None
    assert ask("DELETE", path, If_Match="*").status_code == 204
    assert [each["managed"] for each in ask("GET", "/profiles").json()["items"]] == [True]


@pytest.mark.parametrize("name", ["timeslot", "filters", "destinations"])
def test_nothing_of_anothers_goes_into_a_profile(
    ask: Ask, ben: User, parts: dict[str, Any], name: str
) -> None:
    bens = {
        "timeslot": ben.timeslots.get().pk,
        "filters": [*parts["filters"], ben.notifier_filters.get().pk],
        "destinations": [*parts["destinations"], ben.destinations.get().pk],
    }
    field = name if name == "timeslot" else f"{name}[1]"
    answer = ask("POST", "/profiles", {**parts, name: bens[name]})
    assert errors(answer).keys() == {field}
    nobodys = 987654321 if name == "timeslot" else [*parts[name], 987654321]
    assert errors(ask("POST", "/profiles", {**parts, name: nobodys})).keys() == {field}
    found = made(ask, "/profiles", parts)
    answer = ask("PATCH", f"/profiles/{found['id']}", {name: bens[name]}, If_Match="*")
    assert errors(answer).keys() == {field}
    assert ask("GET", f"/profiles/{found['id']}").json() == found


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Addressed to me"}, "name"),
        ({"timeslot": None}, "timeslot"),
        ({"timeslot": True}, "timeslot"),
        ({"filters": "1"}, "filters"),
        ({"filters": [1] * 101}, "filters"),
        ({"active": "yes"}, "active"),
        ({"paused_until": "tomorrow"}, "paused_until"),
        ({"managed": True}, "managed"),
    ],
)
def test_what_is_wrong_with_a_profile_is_named(
    ask: Ask, parts: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    assert errors(ask("POST", "/profiles", {**parts, **change})).keys() == {field}
    assert NotificationProfile.objects.count() == 1


def test_a_list_of_profiles_costs_as_many_queries_as_one(
    ask: Ask, anna: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        add_profile(anna, {"max_level": 1}, name=f"profile {number}")
    ask("GET", "/profiles")
    with django_assert_max_num_queries(5):
        assert len(ask("GET", "/profiles").json()["items"]) == 6


# preferences


def test_preferences_are_shown_and_changed(ask: Ask, anna: User) -> None:
    before = ask("GET", "/preferences")
    assert before.json() == {"time_zone": "UTC", "language": ""}
    change = {"time_zone": "Europe/Oslo", "language": "nb"}
    after = ask("PATCH", "/preferences", change, If_Match=before["ETag"])
    assert after.json() == change
    row = Preferences.objects.get(user=anna)
    assert (row.time_zone, row.language) == ("Europe/Oslo", "nb")
    problem(ask("PATCH", "/preferences", change, If_Match=before["ETag"]), 412)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"time_zone": "Oslo"}, "time_zone"), ({"language": "klingon"}, "language"), ({"x": 1}, "x")],
)
def test_preferences_that_are_none_are_refused(ask: Ask, change: object, field: str) -> None:
    assert errors(ask("PATCH", "/preferences", change, If_Match="*")).keys() == {field}


def test_who_came_by_bulk_create_has_preferences_too(ask: Ask, anna: User) -> None:
    Preferences.objects.all().delete()
    assert ask("GET", "/preferences").json()["time_zone"] == "UTC"
    assert ask("PATCH", "/preferences", {"language": "nb"}, If_Match="*").status_code == 200
    assert Preferences.objects.get(user=anna).language == "nb"


# all of them


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/timeslots", NIGHTS),
        ("/filters", {"name": "x", "conditions": {"open": True}}),
    ],
)
def test_a_user_makes_so_many_and_no_more(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, path: str, body: object
) -> None:
    monkeypatch.setattr(owning, "MOST", 1)
    assert "which is the most" in problem(ask("POST", path, body), 409)["detail"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_names_the_version_that_it_is_a_change_of(
    ask: Ask, anna: User, method: str
) -> None:
    found = made(ask, "/timeslots", NIGHTS)
    path = f"/timeslots/{found['id']}"
    first = ask("GET", path)["ETag"]
    body = {"name": "x"} if method == "PATCH" else None
    assert "If-Match" in problem(ask(method, path, body), 428)["detail"]
    problem(ask(method, path, body, If_Match='"other"'), 412)
    problem(ask(method, path, body, If_Match=f"W/{first}"), 412)
    problem(ask(method, path, body, If_Match=first.strip('"')), 412)
    Timeslot.objects.filter(pk=found["id"]).update(name="changed by somebody else")
    problem(ask(method, path, body, If_Match=first), 412)
    second = ask("GET", path)["ETag"]
    assert second != first
    assert ask(method, path, body, If_Match=f'"other", {second}').status_code in {200, 204}


def test_the_version_that_a_change_answers_is_the_next_ones(ask: Ask) -> None:
    answer = ask("POST", "/timeslots", NIGHTS)
    for name in ("a", "b"):
        answer = ask(
            "PATCH", f"/timeslots/{answer.json()['id']}", {"name": name}, If_Match=answer["ETag"]
        )
        assert answer.status_code == 200
