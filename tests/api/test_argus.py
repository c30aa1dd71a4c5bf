"""Argus's API: what it takes, what it refuses and how, and whose incidents a token opens."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier import limiting
from notifier.api.argus import reading, views, writing
from notifier.api.argus.filtering import _FILTERS
from notifier.api.argus.urls import urlpatterns
from notifier.intake import overload
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Event, Incident, Source, SourceToken
from tests.integration.test_accepting import at_once
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
UUID = "0191e0b0-0000-7000-8000-000000000000"


class Api:
    """What a source asks of Argus's API."""

    def __init__(self, client: Client, source: Source) -> None:
        self._client = client
        self.token = SourceToken.issue(source)

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Ask, with bytes as they are and anything else as JSON; return the answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._client.generic(
            method,
            f"/api/v2/{path}" + (f"?{urlencode(query, doseq=True)}" if query else ""),
            b"" if body is None else raw,
            content_type="application/json",
            headers={"Authorization": f"Token {self.token}"},
        )

    def get(self, path: str, **query: object) -> Any:
        """Return what is there."""
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def post(self, path: str = "incidents/", **body: Any) -> Any:
        """Post what must be taken, and return it."""
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def refused(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Ask what must be refused with 400, and return what the answer says."""
        answer = self.ask(method, path, body, **query)
        assert answer.status_code == 400, answer.content
        return answer.json()


@pytest.fixture
def argus(client: Client, source: Source) -> Api:
    return Api(client, source)


@pytest.fixture
def stranger(client: Client, db: None) -> Api:
    """Another source."""
    return Api(client, Source.objects.create(name="stranger"))


@pytest.fixture
def incident(argus: Api) -> Any:
    return argus.post(description="Disk full", level=3, tags=[{"tag": "host=db1"}])


def kinds() -> list[str]:
    """Return the types of all events, in their order."""
    return list(Event.objects.order_by("received", "sequence").values_list("type", flat=True))


# creating


def test_what_may_be_left_out_is(argus: Api) -> None:
    posted = argus.post(tags=[])
    assert posted["description"] == "(no description)"
    assert (posted["level"], posted["tags"], posted["metadata"]) == (5, [], {})
    assert (posted["ticket_url"], posted["details_url"]) == ("", "")
    assert (posted["end_time"], posted["open"]) == ("infinity", True)
    assert posted["source_incident_id"] == Incident.objects.get().incident_key


def test_read_only_and_unknown_fields_are_ignored_as_in_argus(argus: Api) -> None:
    posted = argus.post(tags=[], pk=99, stateful=False, open=False, acked=True, what="?")
    assert posted["pk"] != 99
    assert (posted["open"], posted["acked"]) == (True, False)


def test_numbers_are_texts_and_texts_levels(argus: Api) -> None:
    posted = argus.post(tags=[], source_incident_id=4711, level="3", description=12)
    assert (posted["source_incident_id"], posted["level"]) == ("4711", 3)
    assert posted["description"] == "12"


def test_a_time_without_an_offset_is_the_sites(argus: Api) -> None:
    with timezone.override("Europe/Oslo"):
        posted = argus.post(tags=[], start_time="2026-01-15T12:00:00")
        assert posted["start_time"] == "2026-01-15T11:00:00Z"


def test_tags_are_told_once_and_those_without_a_value_not_at_all(argus: Api) -> None:
    tags = [" host = db1 ", "room=", "host=db1", "host=db2", "url=a=b"]
    posted = argus.post(tags=[{"tag": tag} for tag in tags])
    assert [each["tag"] for each in posted["tags"]] == ["host=db1", "host=db2", "url=a=b"]


def test_a_path_is_completed_by_the_sources_base_url(argus: Api) -> None:
    path: Any = {"tags": [], "details_url": "/alerts/1"}
    [problem] = argus.refused("POST", "incidents/", path)["details_url"]
    assert "base URL" in problem
    Source.objects.update(base_url="https://nav.example/nav/")
    posted = argus.post(**path)
    assert posted["details_url"] == "https://nav.example/alerts/1"
    assert posted["source"]["base_url"] == "https://nav.example/nav/"


@pytest.mark.parametrize("end_time", ["infinity", "9999-12-31T23:59:59.999999+00:00", ...])
def test_what_has_no_end_is_open(argus: Api, end_time: object) -> None:
    fields: Any = {} if end_time is ... else {"end_time": end_time}
    posted = argus.post(tags=[], **fields)
    assert (posted["end_time"], posted["open"], posted["stateful"]) == ("infinity", True, True)
    assert kinds() == ["STA"]


def test_what_is_over_is_told_with_its_end(argus: Api) -> None:
    times = {"start_time": "2026-11-23T12:00:00Z", "end_time": "2026-11-23T13:00:00Z"}
    posted = argus.post(tags=[], **times)
    assert {name: posted[name] for name in times} == times
    assert (posted["open"], posted["stateful"]) == (False, True)
    assert kinds() == ["STA", "END"]


def test_a_stateless_incident_is_one_stateless_event(argus: Api) -> None:
    posted = argus.post(tags=[{"tag": "host=db1"}], end_time=None, source_incident_id="7")
    assert (posted["stateful"], posted["open"], posted["end_time"]) == (False, False, None)
    assert posted["tags"] == [{"tag": "host=db1"}]
    assert kinds() == ["LES"]
    event = Event.objects.get()
    assert (event.open, event.state) == (None, "accepted")


def test_an_incident_is_told(
    argus: Api, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        argus.post(tags=[])
    assert queue.dispatched == [Event.objects.get().pk]


@pytest.mark.parametrize("end_time", ["infinity", None])
def test_an_id_that_is_taken_is_refused_whichever_way_it_came(
    argus: Api, source: Source, end_time: object
) -> None:
    accept([parse_event({"description": "x", "incident_key": "4711"})], source)
    body = {"tags": [], "source_incident_id": "4711", "end_time": end_time}
    [problem] = argus.refused("POST", "incidents/", body)["source_incident_id"]
    assert problem.startswith(f"Incident {Incident.objects.get().pk} of this source has it")
    assert kinds() == ["STA"]


def test_two_sources_may_have_the_same_id(argus: Api, stranger: Api) -> None:
    for api in (argus, stranger):
        api.post(tags=[], source_incident_id="4711")
    assert Incident.objects.count() == 2


FUTURE = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("source", 1, "token's own"),
        ("start_time", "yesterday", "ISO 8601"),
        ("start_time", 1_700_000_000, "ISO 8601"),
        ("start_time", "2026-02-30T00:00:00Z", "ISO 8601"),
        ("start_time", "0001-01-01T00:00:00", "year 2000"),
        ("start_time", FUTURE, "a day from now"),
        ("end_time", "soon", "ISO 8601"),
        ("end_time", FUTURE, "lies in the future"),
        ("source_incident_id", "x" * 256, "at most 255"),
        ("source_incident_id", ["x"], "valid string"),
        ("source_incident_id", True, "valid string"),
        ("details_url", "https://a b", "http"),
        ("details_url", 5, "http"),
        ("description", "x" * 16_385, "at most 16384"),
        ("description", {"a": 1}, "valid string"),
        ("level", 6, "from 1 (critical) to 5"),
        ("level", True, "from 1 (critical) to 5"),
        ("level", 1.5, "from 1 (critical) to 5"),
        ("ticket_url", "rt.example/7", "http"),
        ("tags", None, "list"),
        ("tags", "host=db1", "list"),
        ("tags", ["host=db1"], "[0]: tags need to follow"),
        ("tags", [{"tag": "host=db1"}, {"tag": "host"}], "[1]: tags need to follow"),
        ("tags", [{"tag": "host=db1"}, {"tag": "høst=db1"}], "[1]: write key=value"),
        ("tags", [{"tag": f"a={each}"} for each in range(65)], "may give 64"),
        ("metadata", [1], "object"),
        ("metadata", {"a": "x" * 70_000}, "65,536"),
        ("metadata", {"a": "\0"}, "NUL"),
        ("description", "\ud800", "surrogate"),
    ],
)
def test_a_bad_field_is_named_with_the_way_out(
    argus: Api, field: str, value: object, says: str
) -> None:
    errors = argus.refused("POST", "incidents/", {"tags": [], field: value})
    assert list(errors) == [field]
    assert says in " ".join(errors[field])
    assert not Incident.objects.exists()


def test_an_end_before_its_start_is_refused(argus: Api) -> None:
    body = {"tags": [], "start_time": "2026-11-23T12:00Z", "end_time": "2026-11-23T11:00Z"}
    assert "before" in argus.refused("POST", "incidents/", body)["non_field_errors"][0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 9999, b"[]", b"5"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "incidents/"),
        ("PATCH", "incidents/{}/"),
        ("PUT", "incidents/{}/ticket_url/"),
        ("POST", "incidents/{}/events/"),
        ("POST", "incidents/{}/acks/"),
    ],
)
def test_what_is_no_json_object_is_refused(
    argus: Api, incident: Any, method: str, path: str, body: bytes
) -> None:
    errors = argus.refused(method, path.format(incident["pk"]), body)
    assert errors.keys() <= {"detail", "non_field_errors"}
    assert errors


def test_a_body_over_the_limit_is_not_read(argus: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = argus.ask("POST", "incidents/", {"tags": [], "description": "x" * 1000})
    assert answer.status_code == 413
    assert "1,000 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("limits", "body", "answered"),
    [
        ({"body_bytes": 100}, {"tags": [], "description": "x" * 100}, (413, "100 bytes")),
        ({"depth": 3}, {"tags": [], "metadata": {"a": {"b": {"c": 1}}}}, (400, "more than 3 deep")),
        ({"tags": 1}, {"tags": [{"tag": "a=1"}, {"tag": "b=2"}]}, (400, "this source may give 1")),
    ],
)
def test_a_sources_own_limits_hold(
    argus: Api, source: Source, limits: object, body: object, answered: tuple[int, str]
) -> None:
    Source.objects.update(limits=limits)
    answer = argus.ask("POST", "incidents/", body)
    assert answer.status_code == answered[0]
    assert answered[1] in answer.content.decode()
    assert not Event.objects.exists()


def test_a_limit_does_not_keep_an_incident_from_ending(argus: Api) -> None:
    tags = [{"tag": "a=1"}, {"tag": "b=2"}]
    posted = argus.post(tags=tags, metadata={"a": {"b": {"c": 1}}})
    Source.objects.update(limits={"tags": 1, "depth": 3})
    post_event(argus, posted, "END")
    assert argus.ask("PATCH", f"incidents/{posted['pk']}/", {"level": 1}).status_code == 200
    assert argus.post(tags=tags[:1])["tags"] == tags[:1]


def test_a_sources_own_rate_holds(argus: Api, source: Source) -> None:
    limiting._load.cache_clear()
    Source.objects.update(limits={"requests_per_minute": 2})
    for method, path in (("POST", "incidents/"), ("POST", "incidents/sources/heartbeat/")):
        argus.ask(method, path, {"tags": []})
    answer = [argus.ask("POST", "incidents/", {"tags": []}) for _ in range(2)][-1]
    assert (answer.status_code, bool(answer["Retry-After"])) == (429, True)
    assert "2 times a minute" in answer.json()["detail"]


# changing


def test_one_change_tells_all_that_it_changes(argus: Api, incident: Any) -> None:
    change = {
        "description": "Disk is full",
        "details_url": "https://nav.example/1",
        "level": 1,
        "metadata": {"rack": 7},
        "tags": [{"tag": "host=db2"}],
        "ticket_url": "https://rt.example/7",
    }
    path = f"incidents/{incident['pk']}/"
    answer = argus.ask("PATCH", path, change)
    assert answer.status_code == 200
    assert answer.json() == argus.get(path) == {**incident, **change}
    event = Event.objects.get(type="CHI")
    assert (event.description, event.level, event.tags) == ("Disk is full", 1, ["host=db2"])
    assert (event.metadata, event.details_url) == ({"rack": 7}, "https://nav.example/1")


def test_a_change_leaves_what_it_does_not_name(argus: Api, incident: Any) -> None:
    path = f"incidents/{incident['pk']}/"
    assert argus.ask("PATCH", path, {"level": 1}).json() == {**incident, "level": 1}
    assert argus.ask("PATCH", path, {"tags": []}).json()["tags"] == []


@pytest.mark.parametrize(
    "change", [{}, {"level": 3}, {"tags": [{"tag": "host=db1"}]}, {"ticket_url": ""}]
)
def test_a_change_of_nothing_is_not_told(argus: Api, incident: Any, change: object) -> None:
    answer = argus.ask("PATCH", f"incidents/{incident['pk']}/", change)
    assert (answer.status_code, answer.json()) == (200, incident)
    assert kinds() == ["STA"]


def test_what_can_not_be_changed_is_named(argus: Api, incident: Any) -> None:
    errors = argus.refused(
        "PATCH", f"incidents/{incident['pk']}/", {"level": 1, "end_time": None, "lvl": 2}
    )
    assert errors["end_time"] == ["The field is not allowed to be changed."]
    assert errors["lvl"][0].startswith("The field does not exist")
    assert errors.keys() == {"end_time", "lvl"}
    assert kinds() == ["STA"]


def test_a_ticket_is_told_once_and_may_be_taken_away(argus: Api, incident: Any) -> None:
    path = f"incidents/{incident['pk']}/ticket_url/"
    for ticket_url in ("https://rt.example/7", "https://rt.example/7", ""):
        answer = argus.ask("PUT", path, {"ticket_url": ticket_url})
        assert (answer.status_code, answer.json()) == (200, {"ticket_url": ticket_url})
    assert kinds() == ["STA", "CHI", "CHI"]
    assert argus.refused("PUT", path, {"ticket_url": "seven"}).keys() == {"ticket_url"}
    assert argus.refused("PUT", path, {}).keys() == {"ticket_url"}


def test_a_stateless_incident_may_be_changed_too(argus: Api) -> None:
    posted = argus.post(tags=[], end_time=None)
    path = f"incidents/{posted['pk']}/"
    assert argus.ask("PATCH", path, {"level": 2}).json() == {**posted, "level": 2}
    assert Event.objects.get(type="CHI").open is None


# events


def post_event(argus: Api, incident: Any, kind: str, **fields: object) -> Any:
    """Post an event of an incident and return it."""
    return argus.post(f"incidents/{incident['pk']}/events/", type=kind, **fields)


def test_an_event_says_its_incidents_description_unless_its_own(argus: Api, incident: Any) -> None:
    assert post_event(argus, incident, "OTH")["description"] == "Disk full"
    assert post_event(argus, incident, "OTH", description="News")["description"] == "News"
    event = Event.objects.get(description="News")
    assert (event.level, event.tags) == (3, ["host=db1"])


def test_news_of_a_change_changes_nothing_of_the_incident(argus: Api, incident: Any) -> None:
    post_event(argus, incident, "CHI", description="flapping")
    assert argus.get(f"incidents/{incident['pk']}/") == incident


@pytest.mark.parametrize(
    ("before", "kind", "repeats"),
    [
        ((), "STA", "STA"),
        ((), "RES", "STA"),
        (("END",), "END", "END"),
        (("END",), "STA", "STA"),
        (("END", "RES"), "RES", "RES"),
        (("END", "RES", "END"), "END", "END"),
    ],
)
def test_a_repeat_is_answered_with_what_is_stored(
    argus: Api, incident: Any, before: tuple[str, ...], kind: str, repeats: str
) -> None:
    for each in before:
        post_event(argus, incident, each)
    count = Event.objects.count()
    answer = post_event(argus, incident, kind)
    stored = Event.objects.filter(type=repeats).order_by("-sequence")[0]
    assert answer["pk"] == str(stored.pk)
    assert Event.objects.count() == count


def test_what_somebody_closed_has_ended(argus: Api, source: Source, incident: Any) -> None:
    key = incident["source_incident_id"]
    closed = {"type": "CLO", "incident_key": key, "description": "x", "actor": "anna"}
    accept([parse_event(closed)], source)
    answer = post_event(argus, incident, "END")
    assert (answer["type"]["value"], answer["actor"]["username"]) == ("CLO", "anna")
    assert kinds() == ["STA", "CLO"]


def test_a_restart_opens_and_an_end_closes(argus: Api, incident: Any) -> None:
    path = f"incidents/{incident['pk']}/"
    ended = post_event(argus, incident, "END", timestamp="2026-11-23T12:00:00Z")
    assert ended["type"] == {"value": "END", "display": "end"}
    assert argus.get(path)["open"] is False
    post_event(argus, incident, "RES")
    assert (argus.get(path)["open"], argus.get(path)["end_time"]) == (True, "infinity")


@pytest.mark.parametrize("kind", ["CLO", "REO", "ACK", "XXX", "", None, 5, ["STA"], {}])
def test_a_type_that_no_source_posts_is_refused(argus: Api, incident: Any, kind: object) -> None:
    path = f"incidents/{incident['pk']}/events/"
    [problem] = argus.refused("POST", path, {"type": kind})["type"]
    assert "it may post STA, END, RES" in problem
    assert kinds() == ["STA"]


def test_a_stateless_incident_can_not_be_ended_or_opened(argus: Api) -> None:
    posted = argus.post(tags=[], end_time=None)
    path = f"incidents/{posted['pk']}/events/"
    for kind in ("STA", "RES"):
        [problem] = argus.refused("POST", path, {"type": kind})["type"]
        assert problem == "Cannot change the state of a stateless incident."
    for kind in ("END", "LES"):
        assert post_event(argus, posted, kind)["type"]["value"] == "LES"
    post_event(argus, posted, "OTH")
    assert kinds() == ["LES", "OTH"]
    assert argus.get(f"incidents/{posted['pk']}/") == posted


def test_an_incident_that_can_end_has_no_stateless_event(argus: Api, incident: Any) -> None:
    path = f"incidents/{incident['pk']}/events/"
    assert "type" in argus.refused("POST", path, {"type": "LES"})


def test_no_more_than_the_newest_events_are_listed(
    argus: Api, incident: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_EVENTS", 2)
    for number in range(3):
        post_event(argus, incident, "OTH", description=str(number))
    found = argus.get(f"incidents/{incident['pk']}/events/")
    assert [each["description"] for each in found] == ["2", "1"]


def test_what_is_for_somebody_alone_stays_so(argus: Api, source: Source, anna: User) -> None:
    fields = {"description": "x", "incident_key": "4711", "recipients": ["anna"]}
    accept([parse_event(fields)], source)
    [incident] = argus.get("incidents/")["results"]
    argus.ask("PATCH", f"incidents/{incident['pk']}/", {"level": 1})
    post_event(argus, incident, "OTH")
    assert {tuple(each.recipients or ()) for each in Event.objects.all()} == {("anna",)}
    anna.delete()
    post_event(argus, incident, "END")
    assert Event.objects.get(type="END").recipients == []


# at once


def test_of_four_ends_at_once_one_is_stored(transactional_db: None, argus: Api) -> None:
    pk = argus.post(tags=[])["pk"]
    source = Source.objects.get()
    ends: Any = at_once(4, lambda _: writing.post_event(pk, {"type": "END"}, source))
    assert len({end.pk for end in ends}) == 1
    assert kinds() == ["STA", "END"]


def test_of_four_incidents_of_one_id_at_once_one_is_made(
    transactional_db: None, source: Source
) -> None:
    body = {"tags": [], "source_incident_id": "4711"}
    made = at_once(4, lambda _: writing.create(body, source))
    assert sorted(type(each).__name__ for each in made) == ["Incident", *["Refused"] * 3]
    assert kinds() == ["STA"]


# acknowledging


def test_an_acknowledgement_ends_with_its_expiration(argus: Api, incident: Any) -> None:
    expiration = timezone.now() + dt.timedelta(hours=1)
    path = f"incidents/{incident['pk']}/"
    given = {"timestamp": timezone.now().isoformat(), "expiration": expiration.isoformat()}
    ack = argus.post(f"{path}acks/", **given, description="On it")
    assert ack["event"]["description"] == "On it"
    assert argus.get(f"{path}acks/") == [ack]
    assert argus.get(f"{path}acks/{ack['pk']}/") == ack
    assert argus.get(path)["acked"] is True
    assert Incident.objects.get().ack_expires == expiration


def test_without_one_it_holds(argus: Api, incident: Any) -> None:
    ack = argus.post(f"incidents/{incident['pk']}/acks/", event={"description": "On it"})
    assert (ack["expiration"], ack["event"]["description"]) == (None, "On it")
    assert Incident.objects.get().ack_expires is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expiration": "2026-11-23T12:00:00Z"}, "expiration"),
        ({"expiration": "2999-01-01T00:00:00Z"}, "expiration"),
        ({"expiration": "never"}, "expiration"),
        ({"timestamp": "now"}, "timestamp"),
        ({"description": []}, "description"),
    ],
)
def test_a_bad_acknowledgement_is_refused(
    argus: Api, incident: Any, body: object, field: str
) -> None:
    path = f"incidents/{incident['pk']}/acks/"
    assert argus.refused("POST", path, body).keys() == {field}
    assert kinds() == ["STA"]


def test_an_event_that_is_no_acknowledgement_is_none(argus: Api, incident: Any) -> None:
    [event] = argus.get(f"incidents/{incident['pk']}/events/")
    answer = argus.ask("GET", f"incidents/{incident['pk']}/acks/{event['pk']}/")
    assert answer.status_code == 404


# listing


@pytest.fixture
def several(argus: Api) -> dict[str, str]:
    """Incidents of each kind: their ids by what they are."""
    posted = {
        "open": argus.post(
            tags=[{"tag": "host=db1"}, {"tag": "site=oslo"}],
            source_incident_id="a",
            start_time="2026-11-23T10:00:00Z",
            level=1,
            ticket_url="https://rt.example/7",
            description="Disk full",
        ),
        "acked": argus.post(
            tags=[{"tag": "host=db2"}], source_incident_id="b", start_time="2026-11-23T11:00:00Z"
        ),
        "closed": argus.post(
            tags=[{"tag": "host=db1"}],
            source_incident_id="c",
            start_time="2026-11-23T12:00:00Z",
            end_time="2026-11-23T12:30:00Z",
        ),
        "stateless": argus.post(
            tags=[{"tag": 'room="æ'}],
            source_incident_id="d",
            start_time="2026-11-23T13:00:00Z",
            end_time=None,
        ),
    }
    argus.post(f"incidents/{posted['acked']['pk']}/acks/")
    return {str(each["pk"]): name for name, each in posted.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "stateless closed acked open"),
        ({"open": "true"}, "acked open"),
        ({"open": "False"}, "closed"),
        ({"acked": True}, "acked"),
        ({"acked": "0"}, "stateless closed open"),
        ({"stateful": "1"}, "closed acked open"),
        ({"stateful": "false"}, "stateless"),
        ({"end_time__isnull": "true"}, "stateless"),
        ({"ticket": "true"}, "open"),
        ({"ticket": "false"}, "stateless closed acked"),
        ({"tags": "host=db1"}, "closed open"),
        ({"tags": "host=db1,host=db2"}, "closed acked open"),
        ({"tags": ["host=db1", "site=oslo"]}, "open"),
        ({"tags": 'room="æ'}, "stateless"),
        ({"tags": "host=db"}, ""),
        ({"source_incident_id": "c"}, "closed"),
        ({"start_time__gte": "2026-11-23T12:00:00Z"}, "stateless closed"),
        ({"start_time__lte": "2026-11-23T11:00:00Z"}, "acked open"),
        ({"end_time__gte": "2026-11-23T12:31:00Z"}, "acked open"),
        ({"end_time__lte": "2026-11-23T12:30:00Z"}, "closed"),
        ({"duration__gte": 30}, "closed acked open"),
        ({"duration__gte": 31}, "acked open"),
        ({"level__lte": 4}, "open"),
        ({"search": "disk"}, "open"),
        ({"hide_closed_acked": "true"}, "stateless closed acked open"),
        ({"hide_closed_acked": "false"}, "stateless closed acked open"),
        ({"source__name__in": "shop,other"}, "stateless closed acked open"),
        ({"source__name__in": "other"}, ""),
        ({"source__type__in": "app"}, "stateless closed acked open"),
        ({"source__id__in": 999_999}, ""),
        ({"id__in": "1,999999999999999999"}, None),
        ({"open": "", "format": "json"}, "stateless closed acked open"),
        ({"open": "true", "acked": "false"}, "open"),
    ],
)
def test_filters_are_argus_s(
    argus: Api, several: dict[str, str], query: Any, expected: str | None
) -> None:
    for path in ("incidents/", "incidents/mine/"):
        found = argus.get(path, **query)
        if expected is not None:
            assert " ".join(several[str(each["pk"])] for each in found["results"]) == expected


def test_every_filter_is_tried_above() -> None:
    marks = test_filters_are_argus_s.pytestmark
    tried = {name for query, _ in marks[0].args[1] for name in query}
    assert tried - {"format"} == set(_FILTERS)


def test_ids_are_a_filter_too(argus: Api, several: dict[str, str]) -> None:
    found = argus.get("incidents/", id__in=",".join(list(several)[:2]))["results"]
    assert {str(each["pk"]) for each in found} == set(list(several)[:2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("open", "maybe"),
        ("tags", "host"),
        ("start_time__gte", "today"),
        ("level__lte", "high"),
        ("duration__gte", "1.5"),
        ("duration__gte", "9" * 30),
        ("id__in", "1;2"),
        ("id__in", "9" * 30),
        ("search", "a\0b"),
        ("page_size", "0"),
        ("page_size", "all"),
        ("page_size", "9" * 5000),
        ("opne", "true"),
        ("filter_pk", "1"),
    ],
)
def test_a_filter_that_says_nothing_is_refused(argus: Api, name: str, value: str) -> None:
    assert argus.refused("GET", "incidents/", **{name: value}).keys() == {name}


@pytest.mark.parametrize(
    "cursor",
    [
        *("n1", "n1-", "m1-1", "n1-1x", "n-1-1", "n1--1", "cD0yMDI2", "bjE=", "[" * 50_000),
        *("n" + "9" * 17 + "-1", "n1-" + "9" * 19, "\0", "n\u0661-1"),
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(argus: Api, cursor: str) -> None:
    assert argus.refused("GET", "incidents/", cursor=cursor).keys() == {"cursor"}


def test_pages_lead_to_each_other_and_stay_as_they_are(argus: Api) -> None:
    same = "2026-11-23T12:00:00Z"  # so that the order is that of their ids
    pks = [argus.post(tags=[], start_time=same)["pk"] for _ in range(7)][::-1]
    first = argus.get("incidents/", page_size=3, open="true")
    argus.post(tags=[])  # a newer one moves nothing
    second, third = follow(argus, first), follow(argus, follow(argus, first))
    assert [[each["pk"] for each in page["results"]] for page in (first, second, third)] == [
        pks[:3],
        pks[3:6],
        pks[6:],
    ]
    assert (first["previous"], third["next"]) == (None, None)
    assert follow(argus, third, "previous")["results"] == second["results"]
    back = follow(argus, second, "previous")
    assert back["results"] == first["results"]
    assert len(follow(argus, back, "previous")["results"]) == 1
    assert follow(argus, follow(argus, back, "previous"))["results"] == first["results"]


def follow(argus: Api, page: Any, way: str = "next") -> Any:
    """Return the next page, or the one before."""
    address = page[way]
    assert address.startswith("http://testserver/api/v2/incidents/?")
    assert "open=true" in address
    path, _, query = address.partition("/api/v2/")[2].partition("?")
    return argus.get(path, **dict(each.split("=") for each in query.split("&")))


def test_a_page_costs_the_same_however_many_are_on_it(argus: Api) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            argus.get("incidents/")
        return len(captured)

    argus.post(tags=[])
    one = queries()
    for _ in range(5):
        argus.post(tags=[])
    assert queries() == one


# tokens and whose incidents they open


ROUTES = [
    str(each.pattern)
    for each in urlpatterns
    if str(each.pattern) and "heartbeat" not in str(each.pattern)
]


BODIES = {
    "PATCH": {"level": 1},
    "PUT": {"ticket_url": "https://rt.example/7"},
    "POST": {"type": "OTH", "tags": []},
}


@pytest.mark.parametrize("route", ROUTES)
def test_another_sources_incident_is_not_there(
    argus: Api, stranger: Api, incident: Any, route: str
) -> None:
    ack = argus.post(f"incidents/{incident['pk']}/acks/")
    path = route.replace("<int:pk>", str(incident["pk"])).replace("<uuid:event>", ack["pk"])
    methods = argus.ask("OPTIONS", path)["Allow"].split(", ")
    assert methods
    for method in methods:
        count = Event.objects.count()
        answer = stranger.ask(method, path, BODIES.get(method))
        if "<int:pk>" in route:
            assert answer.status_code == 404
            assert answer.json() == {"detail": "This source has no such incident."}
            assert Event.objects.count() == count
            assert argus.ask(method, path, BODIES.get(method)).status_code < 300
        elif method == "GET":
            assert answer.json()["results"] == []
        else:
            assert answer.json()["source"]["name"] == "stranger"


def test_an_event_is_found_under_its_own_incident_alone(argus: Api, incident: Any) -> None:
    other = argus.post(tags=[])
    ack = argus.post(f"incidents/{incident['pk']}/acks/")
    for kind in ("events", "acks"):
        answer = argus.ask("GET", f"incidents/{other['pk']}/{kind}/{ack['pk']}/")
        assert answer.status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path", ["incidents/", "incidents/1/", "incidents/sources/heartbeat/", "no/such/"]
)
@pytest.mark.parametrize(
    "authorization", ["", "Token", "Token ", "Token nts_x", "Basic {}", "{}", "Token {} x"]
)
def test_without_a_good_token_everything_is_401(
    client: Client, argus: Api, method: str, path: str, authorization: str
) -> None:
    headers = {"Authorization": authorization.format(argus.token)} if authorization else {}
    answer = client.generic(method, f"/api/v2/{path}", b"{", headers=headers)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert argus.token not in answer.content.decode()


def test_a_revoked_token_opens_nothing(argus: Api) -> None:
    SourceToken.objects.update(revoked_at=timezone.now())
    assert argus.ask("GET", "incidents/").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        *("incidents/999/", f"incidents/{2**63}/", f"incidents/{'9' * 5000}/", "incidents/x/"),
        *("incidents/open/", "auth/token/login/", "", "incidents/999/events/", "incidents/1/tags/"),
        f"incidents/999/events/{UUID}/",
    ],
)
def test_what_is_not_there_is_404(argus: Api, path: str) -> None:
    answer = argus.ask("GET", path)
    assert answer.status_code == 404
    assert answer.json().keys() == {"detail"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "incidents/sources/heartbeat/", "POST"),
        ("DELETE", "incidents/1/", "GET, PATCH"),
        ("PUT", "incidents/", "GET, POST"),
    ],
)
def test_a_method_that_is_not_offered_is_405(
    argus: Api, method: str, path: str, allowed: str
) -> None:
    answer = argus.ask(method, path)
    assert (answer.status_code, answer["Allow"]) == (405, allowed)
    assert answer.json() == {"detail": f'Method "{method}" not allowed.'}


def test_each_request_is_a_sign_of_life_where_one_is_expected(argus: Api, source: Source) -> None:
    argus.get("incidents/")
    assert Source.objects.get().last_heartbeat is None
    assert argus.ask("POST", "incidents/sources/heartbeat/").status_code == 204
    Source.objects.update(heartbeat_interval=60, last_heartbeat=NOW)
    argus.get("incidents/")
    last = Source.objects.get().last_heartbeat
    assert last is not None
    assert last > NOW


# when it can't be taken


@pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("closed")])
def test_a_database_that_goes_away_is_answered_503(
    argus: Api, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(writing, "accept", refuse)
    answer = argus.ask("POST", "incidents/", {"tags": []})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "database" in answer.json()["detail"]


def test_under_overload_only_critical_incidents_are_taken(
    argus: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        argus.post(tags=[])
    settings.NOTIFIER_MAX_WAITING = 1
    monkeypatch.setattr(overload, "watch", overload.Watch())
    answer = argus.ask("POST", "incidents/", {"tags": [], "ticket_url": "https://rt.example/7"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert Incident.objects.count() == 2
    argus.post(tags=[], level=1)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_times = st.datetimes().map(str) | st.just("infinity")
_fields = st.fixed_dictionaries(
    {"tags": st.just([]) | st.lists(st.fixed_dictionaries({"tag": st.text()})) | _values},
    optional={
        **dict.fromkeys(("start_time", "end_time", "timestamp", "expiration"), _times | _values),
        **dict.fromkeys(("level",), st.integers(0, 6) | _values),
        **dict.fromkeys(("description", "source_incident_id", "details_url"), _values),
        **dict.fromkeys(("ticket_url", "metadata", "event"), _values),
        "type": st.sampled_from(["STA", "END", "RES", "CHI", "OTH", "LES"]) | _values,
    },
)


@given(
    fields=_fields,
    where=st.sampled_from(
        [
            ("POST", "incidents/"),
            ("PATCH", "incidents/{}/"),
            ("PUT", "incidents/{}/ticket_url/"),
            ("POST", "incidents/{}/events/"),
            ("POST", "incidents/{}/acks/"),
        ]
    ),
)
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_posted_is_taken_or_refused_by_its_field(
    argus: Api, incident: Any, fields: dict[str, Any], where: tuple[str, str]
) -> None:
    method, path = where
    if method == "PATCH":
        fields = {name: fields[name] for name in fields if name in reading.EDITABLE}
    before = Event.objects.count()
    answer = argus.ask(method, path.format(incident["pk"]), fields)
    assert answer.status_code in {200, 201, 400}
    if answer.status_code == 400:
        said = answer.json()
        assert said
        assert all(isinstance(each, list | str) and each for each in said.values())
        assert Event.objects.count() == before
