"""`POST /api/v1/intake`: the formats of others."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from cloudevents.core.bindings import http as cloudevents_http
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as OlderCloudEvent
from cloudevents.v1.http import to_binary, to_structured
from django.db import InterfaceError, OperationalError
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier import limiting
from notifier.api.examples import OF_FORMAT
from notifier.intake import overload, reports
from notifier.intake.formats.registry import FORMATS
from notifier.media.webhook import WebhookNotification
from notifier.models import Event, Incident, Source, SourceToken
from tests.unit.test_fitting import JSON

if TYPE_CHECKING:
    Response = Any
    Post = Callable[..., Response]

URL = "/api/v1/intake"
T1 = "2026-11-23T09:30:00Z"
T2 = "2026-11-23T09:40:00Z"
NOW = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
UNSET = "0001-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    limiting._load.cache_clear()


@pytest.fixture
def token(source: Source) -> str:
    return SourceToken.issue(source)


@pytest.fixture
def post(client: Client, token: str) -> Post:
    """Post a body, bytes as they are and anything else as JSON, with the shop's token."""

    def send(
        body: object, path: str = "", content_type: str = "application/json", **headers: str
    ) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        own = {"Authorization": f"Bearer {token}", **headers}
        return client.post(f"{URL}{path}", raw, content_type=content_type, headers=own)

    return send


def alert(status: str = "firing", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
        "annotations": {"summary": "The disk of db1 is full"},
        "startsAt": T1,
        "endsAt": T2 if status == "resolved" else UNSET,
        "generatorURL": "https://prometheus.example.org/graph?g0.expr=disk",
        "fingerprint": "c0ffee",
        **fields,
    }


def group(*alerts: Any, **fields: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": "{}", "receiver": "n", "alerts": [*alerts], **fields}


def told() -> list[str]:
    """Return the types of all events, in their order."""
    return [*Event.objects.order_by("received", "sequence").values_list("type", flat=True)]


# Alertmanager and Grafana


@time_machine.travel(NOW)
def test_an_alert_is_an_event_of_an_incident(post: Post) -> None:
    answer = post(group(alert()))
    assert answer.status_code == 202
    event = Event.objects.get()
    [said] = answer.json()["events"]
    assert said == {"id": str(event.pk), "repeated": False, "incident_key": "c0ffee"}
    assert (event.type, event.level, event.description) == ("STA", 1, "The disk of db1 is full")
    assert set(event.tags) == {"alertname=DiskFull", "instance=db1", "severity=critical"}
    assert event.timestamp == dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
    assert event.details_url == "https://prometheus.example.org/graph?g0.expr=disk"
    assert event.metadata["annotations"] == {"summary": "The disk of db1 is full"}
    assert "labels" not in event.metadata
    assert event.expires is None
    assert event.incident
    assert (event.incident.incident_key, event.incident.open) == ("c0ffee", True)


def test_repeats_are_answered_200_and_told_once(post: Post) -> None:
    post(group(alert()))
    answer = post(group(alert(), alert()))
    assert answer.status_code == 200
    assert [each["repeated"] for each in answer.json()["events"]] == [True, True]
    post(group(alert("resolved")))
    assert post(group(alert("resolved"))).status_code == 200
    assert told() == ["STA", "END"]
    incident = Incident.objects.get()
    assert not incident.open
    assert incident.end_time == dt.datetime(2026, 11, 23, 9, 40, tzinfo=dt.UTC)


def test_what_fires_again_under_the_same_start_reopens_after_the_grace(post: Post) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for each in (alert(), alert("resolved"), alert()):
            post(group(each))
        assert told() == ["STA", "END"]
        clock.shift(reports.GRACE + dt.timedelta(seconds=1))
        assert post(group(alert())).status_code == 202
        assert told() == ["STA", "END", "RES"]
        again = Event.objects.get(type="RES")
        assert again.timestamp == NOW + reports.GRACE + dt.timedelta(seconds=1)
        assert Incident.objects.get().open
        assert post(group(alert())).status_code == 200
        clock.shift(60)
        post(group(alert("resolved", endsAt="2026-11-23T10:03:00Z")))
    assert told() == ["STA", "END", "RES", "END"]


def test_a_new_start_reopens_at_once(post: Post) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for each in (alert(), alert("resolved"), alert(startsAt="2026-11-23T09:50:00Z")):
            clock.shift(1)
            post(group(each))
    assert told() == ["STA", "END", "RES"]


def test_a_changed_level_or_text_is_a_change(post: Post) -> None:
    post(group(alert()))
    changed = alert(annotations={"summary": "The disk of db1 is fuller"})
    assert post(group(changed)).status_code == 202
    assert post(group(changed)).status_code == 200
    assert told() == ["STA", "CHI"]
    assert Incident.objects.get().description == "The disk of db1 is fuller"


def test_an_end_of_an_unknown_alert_leaves_nothing(post: Post) -> None:
    assert post(group(alert("resolved"))).status_code == 200
    assert not Event.objects.exists()
    assert not Incident.objects.exists()


def test_an_incident_without_events_is_no_incident(post: Post, source: Source) -> None:
    Incident.objects.create(
        source=source,
        incident_key="c0ffee",
        description="The disk of db1 is full",
        level=1,
        start_time=NOW,
    )
    post(group(alert()))
    assert told() == ["STA"]
    assert Event.objects.get().sequence == 1


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


BAD_ALERTS = {
    "nul": alert(annotations={"summary": "a\0b"}, fingerprint="1"),
    "surrogate": alert(annotations={"summary": "\ud800"}, fingerprint="\udfff"),
    "deep": alert(annotations={"summary": "x", "more": nested(300)}, fingerprint="2"),
    "deep everywhere": alert(
        annotations=nested(300), labels=nested(300), fingerprint=nested(300), startsAt=nested(300)
    ),
    "long": alert(annotations={"summary": "x" * 20_000}, fingerprint="3" * 300),
    "labels": alert(labels={f"label{number}": "v" * 300 for number in range(200)}, fingerprint="4"),
    "label names": alert(labels={"é \0": "v", "": "x", "-a": "y"}, fingerprint="5"),
    "no text": alert(annotations={}, labels={}, fingerprint="6"),
    "spaces": alert(annotations={"summary": " \n "}, fingerprint="7"),
    "wrong types": alert(
        labels=[1], annotations=7, startsAt=12, generatorURL=["x"], fingerprint="8"
    ),
    "no url": alert(generatorURL="javascript:alert(1)", fingerprint="9"),
    "huge number": alert(labels={"a": 10**4000}, annotations={"x": 1e308}, fingerprint="10"),
    "unknown status": alert("pending", fingerprint="11"),
    "no object": 5,
    "null": None,
    "empty": {},
}


@pytest.mark.parametrize("name", BAD_ALERTS)
def test_a_bad_alert_loses_neither_itself_nor_its_group(post: Post, name: str) -> None:
    answer = post(group(alert(fingerprint="good"), BAD_ALERTS[name], alert(fingerprint="better")))
    assert answer.status_code == 202
    assert Event.objects.count() == 3
    assert set(Event.objects.values_list("type", flat=True)) == {"STA"}
    assert post(group(BAD_ALERTS[name])).status_code == 200  # and is known again


def test_what_was_cut_is_kept_beside_it(post: Post) -> None:
    post(group(BAD_ALERTS["labels"]))
    event = Event.objects.get()
    assert len(event.tags) == 64
    assert len(event.metadata["labels"]) == 200
    assert event.metadata["labels"]["label199"] == "v" * 300


def test_an_infinite_number_in_an_alert_is_text(post: Post) -> None:
    body = json.dumps(group(alert())).replace('"c0ffee"', '"1", "values": {"A": 1e999}').encode()
    assert post(body).status_code == 202
    assert Event.objects.get().metadata["values"] == {"A": "inf"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"alerts": [], "alerts": []}', "the key occurs twice in one object"),
        (b'{"alerts": [NaN]}', "NaN is no JSON; leave the number out or write null"),
        (b"[" * 100_000, "nested more than 20 deep"),
        (b"{", "not JSON: "),
        (b'{"a": "\xff"}', "not UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["", "/alertmanager", "/pagerduty", "/notifier", "/cloudevents"])
def test_what_is_no_strict_json_is_refused(
    post: Post, body: bytes, problem: str, path: str
) -> None:
    answer = post(body, path)
    assert answer.status_code == 422
    assert problem in answer.json()["errors"][0]["message"]
    assert not Event.objects.exists()


def test_thousands_of_alerts_are_taken(post: Post) -> None:
    many = [alert(fingerprint=f"f{number}") for number in range(2500)]
    assert post(group(*many)).status_code == 202
    assert Event.objects.count() == 2500
    assert post(group(*many)).status_code == 200


def test_no_alerts_are_fine(post: Post) -> None:
    answer = post(group())
    assert (answer.status_code, answer.json()) == (200, {"events": []})


def test_a_firing_alert_that_ends_in_the_future_expires_then(post: Post) -> None:
    with time_machine.travel(NOW):
        post(group(alert(endsAt="2026-11-23T11:00:00Z")))
    event = Event.objects.get()
    assert (event.type, event.expires) == ("STA", NOW + dt.timedelta(hours=1))


def test_alerts_that_were_left_out_are_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post(group(alert(), truncatedAlerts=7))
    assert "left 7 alerts out of a group" in caplog.text


def test_an_alert_without_a_fingerprint_is_known_by_its_labels(post: Post) -> None:
    nameless = alert()
    del nameless["fingerprint"]
    post(group(nameless))
    assert post(group(nameless)).status_code == 200
    assert post(group({**nameless, "labels": {"instance": "db2"}})).status_code == 202


def test_grafana_has_a_title_and_a_panel(post: Post) -> None:
    assert post(OF_FORMAT["grafana"], "/grafana").status_code == 202
    event = Event.objects.get()
    assert event.metadata["title"] == "[FIRING:1] DiskFull"
    assert event.details_url == "https://grafana.example.org/d/disks?viewPanel=1"
    assert event.level == 3  # the source's default, as there is no severity


def test_the_sources_own_level_is_for_what_says_none(post: Post, source: Source) -> None:
    Source.objects.update(default_level=2)
    post(group(alert(labels={"alertname": "x", "severity": "odd"})))
    assert Event.objects.get().level == 2


@pytest.mark.parametrize("path", ["", "/alertmanager"])
def test_basic_authentication_is_taken(client: Client, token: str, path: str) -> None:
    def send(password: str) -> int:
        basic = base64.b64encode(f"anybody:{password}".encode()).decode()
        return client.post(
            f"{URL}{path}",
            group(alert()),
            content_type="application/json",
            headers={"Authorization": f"Basic {basic}"},
        ).status_code

    assert send(token) == 202
    assert send("nts_wrong") == 401


@pytest.mark.parametrize(
    "given", ["", "Basic", "Basic !", "Basic " + "x" * 10_000, "Basic /w==", "Token x"]
)
@pytest.mark.parametrize("path", ["", *(f"/{slug}" for slug in FORMATS)])
def test_without_a_token_nothing_is_taken(client: Client, db: None, path: str, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    answer = client.post(f"{URL}{path}", {}, content_type="application/json", headers=headers)
    assert answer.status_code == 401


# detection


@pytest.mark.parametrize("slug", [slug for slug in FORMATS if slug != "mapped"])
def test_each_format_is_detected(post: Post, slug: str) -> None:
    body = OF_FORMAT[slug]
    assert post(body).status_code == 202
    detected = Event.objects.values("type", "level", "description", "tags").get()
    Event.objects.all().delete()
    Incident.objects.all().delete()
    assert post(body, f"/{slug}").status_code == 202
    assert Event.objects.values("type", "level", "description", "tags").get() == detected


@pytest.mark.parametrize("body", [{"message": "x"}, [], 5, None, "x", {}, [[]], [{"a": 1}]])
def test_what_is_of_no_format_is_told_which_there_are(post: Post, body: object) -> None:
    answer = post(body)
    assert answer.status_code == 422
    assert "alertmanager (Prometheus Alertmanager)" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("slug", FORMATS)
@pytest.mark.parametrize(
    "body",
    [5, None, "x", [], {}, [[]], [5], {"alerts": 5}, {"event_action": {}}, {"data": 7, "type": 5}],
)
def test_what_is_of_another_format_than_its_path_is_refused_or_empty(
    post: Post, slug: str, body: object
) -> None:
    answer = post(body, f"/{slug}")
    assert answer.status_code in {200, 422}
    assert not Event.objects.exists()


def test_our_own_events_are_stored_as_they_are(post: Post) -> None:
    named = {"description": "x", "incident_key": "k", "source_event_id": "1"}
    assert post([named, {**named, "source_event_id": "2"}]).status_code == 202
    assert told() == ["STA", "STA"]
    assert post({**named, "level": 1}).status_code == 409
    assert post({**named, "source": "bank"}).status_code == 422


# CloudEvents

ATTRIBUTES = {
    "id": "4711",
    "source": "https://example.org/disks",
    "type": "org.example.disk.opened",
    "subject": "db1",
    "time": dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC),
    "severitynumber": "17",
}
DATA = {"description": "Blåbær is full", "tags": ["host=db1"]}


def assert_the_cloud_event() -> None:
    event = Event.objects.get()
    assert (event.type, event.level, event.description) == ("STA", 2, "Blåbær is full")
    assert event.timestamp == dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
    assert {"host=db1", "ce.subject=db1", "ce.type=org.example.disk.opened"} <= set(event.tags)
    assert event.incident
    assert event.incident.incident_key == "https://example.org/disks db1"


@pytest.mark.parametrize("path", ["", "/cloudevents"])
@pytest.mark.parametrize("convert", ["to_binary_event", "to_structured_event"])
def test_the_packages_conversions_are_taken(post: Post, path: str, convert: str) -> None:
    message = getattr(cloudevents_http, convert)(
        CloudEvent({**ATTRIBUTES, "datacontenttype": "application/json"}, DATA)
    )
    headers = dict(message.headers)
    content_type = headers.pop("content-type")
    body = message.body if isinstance(message.body, bytes) else message.body.encode()
    assert post(body, path, content_type, **headers).status_code == 202
    assert post(body, path, content_type, **headers).status_code == 200
    assert_the_cloud_event()


@pytest.mark.parametrize("convert", [to_binary, to_structured])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_older_conversions_too(post: Post, convert: Callable[..., Any]) -> None:
    attributes: dict[str, Any] = {**ATTRIBUTES, "time": T1}
    headers, body = convert(OlderCloudEvent(attributes, DATA))
    content_type = headers.pop("content-type", "application/json")
    assert post(body, "", content_type, **headers).status_code == 202
    assert_the_cloud_event()


def structured(**attributes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", **ATTRIBUTES, "time": T1, "data": DATA, **attributes}


BATCH = "application/cloudevents-batch+json"


def test_a_batch_is_taken(post: Post) -> None:
    batch = [structured(id=str(number), subject=f"db{number}") for number in range(3)]
    assert post(batch, content_type=BATCH).status_code == 202
    assert Event.objects.count() == 3
    assert post([], content_type=BATCH).json() == {"events": []}


def test_a_message_that_comes_again_is_a_repeat_though_its_trace_differs(post: Post) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    post(structured(type="org.example.done"))
    again = post(structured(type="org.example.done", traceparent=trace))
    assert again.status_code == 200
    assert post(structured(type="org.example.done", source="/other")).status_code == 202
    assert told() == ["LES", "LES"]


@pytest.mark.parametrize(
    ("attributes", "event_type"),
    [
        ({"type": "a.opened"}, "STA"),
        ({"type": "a.Created"}, "STA"),
        ({"type": "a.firing"}, "STA"),
        ({"type": "a.start"}, "STA"),
        ({"type": "a.done"}, "LES"),
        ({"type": "a.done", "data": None}, "LES"),
        ({"type": "a.done", "data": "text"}, "LES"),
        ({"type": "a.done", "data_base64": "AP8=", "datacontenttype": "image/png"}, "LES"),
    ],
)
def test_the_type_ends_in_what_happened(
    post: Post, attributes: dict[str, Any], event_type: str
) -> None:
    assert post(structured(**attributes)).status_code == 202
    assert told() == [event_type]


def test_an_end_ends_what_the_correlation_names(post: Post) -> None:
    post(structured(correlationid="c1", id="1"))
    post(structured(correlationid="c1", id="2", subject="other", type="a.closed"))
    assert told() == ["STA", "END"]
    assert Incident.objects.get().incident_key == "c1"


@pytest.mark.parametrize(
    ("number", "level"), [(24, 1), (21, 1), (17, 2), (13, 3), (9, 4), (8, 5), ("x", 3)]
)
def test_the_severity_number_is_a_level(post: Post, number: object, level: int) -> None:
    post(structured(severitynumber=number))
    assert Event.objects.get().level == level


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"id": ""}, "id"),
        ({"source": 5}, "source"),
        ({"type": None}, "type"),
        ({"specversion": "0.3"}, "specversion"),
        ({"data_base64": "!"}, "data_base64"),
        ({"data_base64": 7}, "data_base64"),
    ],
)
def test_a_broken_cloud_event_names_its_attribute(
    post: Post, attributes: dict[str, Any], field: str
) -> None:
    answer = post(structured(**attributes), "/cloudevents")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    answer = post([structured(), structured(**attributes)], "/cloudevents", BATCH)
    assert answer.json()["errors"][0]["field"] == f"[1].{field}"


DEEP = json.dumps(nested(100)).encode()


def test_the_depth_of_data_in_any_wrapping_is_checked(post: Post) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "a.done"}
    wrapped = structured(data_base64=base64.b64encode(DEEP).decode(), data=None)
    for answer in (
        post(DEEP, "", **binary),
        post(wrapped),
        post(structured(data=nested(100))),
        post(structured(data=nested(100)), "", "application/cloudevents+json"),
    ):
        assert answer.status_code == 422
        assert "nested more than 20 deep" in answer.json()["errors"][0]["message"]


def test_binary_data_need_not_be_json(post: Post) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "a.done"}
    binary["ce-subject"] = "bl%C3%A5b%C3%A6r"
    assert post(b"plain", "", "text/plain", **binary).status_code == 202
    event = Event.objects.get()
    assert event.description == "a.done: blåbær"
    assert event.metadata["data"] == "plain"
    binary["ce-id"] = "2"
    assert post(b"\xff\x00", "", "image/png", **binary).status_code == 202


def test_what_our_webhook_medium_sends_is_the_event_that_it_was(post: Post) -> None:
    own = {
        "description": "Disk full",
        "type": "STA",
        "level": 2,
        "incident_key": "k",
        "tags": ["a=b"],
    }
    post(own)
    first = Event.objects.get()
    body = WebhookNotification().render(first)
    Source.objects.create(name="mirror")
    SourceToken.objects.update(source=Source.objects.get(name="mirror"))
    assert post(body, "", "application/cloudevents+json").status_code == 202
    second = Event.objects.get(source__name="mirror")
    assert (second.type, second.level, second.description) == ("STA", 2, "Disk full")
    assert "a=b" in second.tags
    assert second.incident
    assert second.incident.incident_key == "k"


@pytest.mark.parametrize("path", ["", "/cloudevents"])
def test_the_handshake_of_web_hooks_is_answered(client: Client, path: str) -> None:
    answer = client.options(
        f"{URL}{path}",
        headers={"WebHook-Request-Origin": "events.example.org", "WebHook-Request-Rate": "120"},
    )
    assert answer.status_code == 200
    assert answer["WebHook-Allowed-Origin"] == "events.example.org"
    assert answer["WebHook-Allowed-Rate"] == "*"
    assert client.options(f"{URL}{path}").status_code == 400


# overload and limits


@pytest.fixture
def overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = overload.Backlog(events=10**9, deliveries=0)
    monkeypatch.setattr(overload.watch, "backlog", lambda: backlog)


@pytest.mark.parametrize(
    ("slug", "status"),
    [("alertmanager", 503), ("grafana", 503), ("cloudevents", 429), ("standard-webhooks", 429)],
)
@pytest.mark.parametrize("by_path", [False, True])
def test_overload_is_answered_as_the_sender_wants_it(
    post: Post, overloaded: None, slug: str, status: int, by_path: bool
) -> None:
    body = json.loads(json.dumps(OF_FORMAT[slug]).replace("critical", "warning").replace("21", "9"))
    answer = post(body, f"/{slug}" if by_path else "")
    assert answer.status_code == status
    assert answer["Retry-After"] == "30"
    assert not Event.objects.exists()


def test_what_is_critical_is_taken_all_the_same(post: Post, overloaded: None) -> None:
    assert post(group(alert())).status_code == 202


WAYS = {
    "/events": ({"description": "x"}, 429),
    "/intake": (OF_FORMAT["alertmanager"], 503),
    "/intake/alertmanager": (OF_FORMAT["alertmanager"], 503),
    "/intake/grafana": (OF_FORMAT["grafana"], 503),
    "/intake/cloudevents": (OF_FORMAT["cloudevents"], 429),
    "/intake/pagerduty": (OF_FORMAT["pagerduty"], 429),
    "/v2/enqueue": (OF_FORMAT["pagerduty"], 429),
}


@pytest.fixture
def post_by(client: Client, token: str) -> Post:
    """Post by a way in: `post_by("/events", body)`."""

    def send(way: str, body: Any) -> Response:
        if way == "/v2/enqueue":
            return client.post(way, {**body, "routing_key": token}, content_type="application/json")
        return client.post(
            f"/api/v1{way}",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )

    return send


@pytest.mark.parametrize("way", WAYS)
def test_the_rate_is_limited_on_every_way(post_by: Post, way: str) -> None:
    Source.objects.update(limits={"requests_per_minute": 2})
    body, status = WAYS[way]
    for _ in range(2):
        assert post_by(way, body).status_code in {200, 202}
    answer = post_by(way, body)
    assert answer.status_code == status
    assert 0 < int(answer["Retry-After"]) <= 30


def test_garbage_counts_too(post_by: Post) -> None:
    Source.objects.update(limits={"requests_per_minute": 1})
    assert post_by("/intake", 5).status_code == 422
    assert post_by("/intake", 5).status_code == 429


@pytest.mark.parametrize("way", WAYS)
def test_the_size_is_limited_on_every_way(post_by: Post, way: str) -> None:
    Source.objects.update(limits={"body_bytes": 10})
    answer = post_by(way, WAYS[way][0])
    assert answer.status_code == 413
    assert "larger than 10 bytes" in json.dumps(answer.json())
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("way", "body"),
    [
        ("/events", {"description": "x", "metadata": {"a": {"b": 1}}}),
        ("/events", [{"description": "x", "metadata": {"a": {"b": 1}}}]),
        ("/intake", structured(data={"a": {"b": {"c": 1}}})),
        ("/v2/enqueue", {**OF_FORMAT["pagerduty"], "links": [{"a": {}}]}),
    ],
)
def test_the_depth_is_limited(post_by: Post, way: str, body: Any) -> None:
    Source.objects.update(limits={"depth": 3})
    answer = post_by(way, body)
    assert answer.status_code == (400 if way == "/v2/enqueue" else 422)
    assert "nested more than 3 deep" in json.dumps(answer.json())


@pytest.mark.parametrize("way", ["/events", "/intake"])
def test_the_number_of_tags_is_limited(post_by: Post, way: str) -> None:
    Source.objects.update(limits={"tags": 2})
    body = {"description": "x", "tags": ["a=1", "b=2", "c=3"]}
    answer = post_by(way, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"] == "3 of them; this source may give 2"


def test_an_alert_is_cut_to_its_sources_limits(post: Post) -> None:
    Source.objects.update(limits={"tags": 2, "depth": 4})
    assert post(group(alert(annotations=nested(10)))).status_code == 202
    event = Event.objects.get()
    assert event.tags == ["alertname=DiskFull", "severity=critical"]
    assert event.metadata["annotations"] == {"a": "…"}
    assert event.metadata["labels"]["instance"] == "db1"


@pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.parametrize("way", ["/intake", "/v2/enqueue"])
def test_a_database_that_goes_away_is_answered_503(
    post_by: Post, monkeypatch: pytest.MonkeyPatch, failure: Exception, way: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(reports, "take", refuse)
    answer = post_by(way, OF_FORMAT["pagerduty"])
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"


# PagerDuty


def test_an_incident_goes_its_way_at_pagerdutys_own_path(post_by: Post) -> None:
    def act(action: str, **fields: Any) -> Response:
        body = {"event_action": action, "dedup_key": "db1/disk", **fields}
        return post_by("/v2/enqueue", body)

    payload = {"summary": "full", "source": "db1", "severity": "error", "class": "disk"}
    assert act("acknowledge").status_code == 202  # of nothing that is known
    assert not Incident.objects.exists()
    answer = act("trigger", payload=payload, links=[{"href": "https://example.org/1"}])
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "success",
        "message": "Event processed",
        "dedup_key": "db1/disk",
    }
    act("trigger", payload=payload)
    act("acknowledge")
    act("acknowledge")
    act("resolve")
    act("resolve")
    act("trigger", payload=payload)
    assert told() == ["STA", "ACK", "END", "RES"]
    start, end = Event.objects.get(type="STA"), Event.objects.get(type="END")
    assert (start.level, start.details_url) == (2, "https://example.org/1")
    assert start.tags == ["source=db1", "class=disk"]
    # an end without words has its incident's: whoever was told of the start is told of it
    assert (end.level, end.description, end.tags) == (2, "full", start.tags)


def test_a_trigger_without_a_key_gets_one(post_by: Post) -> None:
    body = {"event_action": "trigger", "payload": {"summary": "full", "severity": "info"}}
    keys = {post_by("/v2/enqueue", body).json()["dedup_key"] for _ in range(2)}
    assert set(Incident.objects.values_list("incident_key", flat=True)) == keys
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"event_action": "explode"}, "event_action: write one of trigger, acknowledge, resolve"),
        ({"event_action": ["trigger"]}, "event_action: write one of trigger, acknowledge, resolve"),
        ({"event_action": "trigger"}, "payload.summary: required: what happened, for people"),
        ({"event_action": "resolve"}, "dedup_key: required to resolve: the incident's"),
        (
            {"event_action": "trigger", "payload": 5},
            "payload.summary: required: what happened, for people",
        ),
    ],
)
def test_pagerdutys_own_refusal_names_the_field(post_by: Post, body: Any, error: str) -> None:
    answer = post_by("/v2/enqueue", body)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": [error],
    }


@pytest.mark.parametrize("key", [None, "", "nts_wrong", 5, ["x"], "\ud800"])
def test_an_unknown_routing_key_is_refused_as_pagerduty_does(
    client: Client, db: None, key: object
) -> None:
    body = json.dumps({**OF_FORMAT["pagerduty"], "routing_key": key})
    answer = client.post("/v2/enqueue", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        "routing_key: missing, unknown or revoked: send a source's token"
    ]
    assert client.get("/v2/enqueue").status_code == 405


def test_a_routing_key_is_not_kept(post_by: Post, token: str) -> None:
    post_by("/v2/enqueue", OF_FORMAT["pagerduty"])
    assert token not in json.dumps([*Event.objects.values_list("metadata", "tags", "description")])


def test_pagerdutys_bodies_have_pagerdutys_size(client: Client, db: None) -> None:
    answer = client.post("/v2/enqueue", b"x" * 600_000, content_type="application/json")
    assert answer.status_code == 413


# properties

ALERTS = st.builds(
    lambda status, key, text, start: alert(
        status,
        fingerprint=key,
        annotations={"summary": text},
        startsAt=f"2026-11-23T09:{start}:00Z",
    ),
    st.sampled_from(["firing", "resolved"]),
    st.sampled_from("ab"),
    st.sampled_from(["full", "fuller"]),
    st.sampled_from(["30", "50"]),
)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(groups=st.lists(st.lists(ALERTS, max_size=5), max_size=5))
def test_starts_and_ends_of_an_incident_alternate(
    post: Post, groups: list[list[dict[str, Any]]]
) -> None:
    Event.objects.all().delete()
    Incident.objects.all().delete()
    for each in groups:
        assert post(group(*each)).status_code in {200, 202}
        assert post(group(*each[-1:])).status_code == 200
    for incident in Incident.objects.all():
        events = incident.events.order_by("sequence")
        kinds = [each.type for each in events if each.type != "CHI"]
        assert kinds
        assert kinds == (["STA"] + ["END", "RES"] * len(kinds))[: len(kinds)]
        assert incident.open == (kinds[-1] != "END")
    assert not Event.objects.filter(state="late").exists()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the parts of JSON are."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, each in value.items() if isinstance(value, dict) else ():
        yield from places(each, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """Return JSON with another part in one place."""
    if not path:
        return new
    first, *rest = path
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[first] = replaced(value[first], tuple(rest), new)
    return changed


MUTATED = st.sampled_from([*FORMATS]).flatmap(
    lambda slug: st.tuples(
        st.just(slug),
        st.sampled_from([*places(OF_FORMAT[slug])]),
        JSON | st.sampled_from([*BAD_ALERTS.values()]) | st.integers(0, 40).map(nested),
        st.booleans(),
    )
)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutated=MUTATED)
def test_whatever_is_posted_is_taken_or_refused(
    post: Post, mutated: tuple[str, tuple[Any, ...], object, bool]
) -> None:
    slug, place, new, by_path = mutated
    Source.objects.update(mapping={"description": "message", "metadata": "@", "tags": "@"})
    body = replaced(OF_FORMAT[slug], place, new)
    answer = post(body, f"/{slug}" if by_path else "")
    of_an_alert = by_path and place[:1] == ("alerts",) and len(place) > 1
    if of_an_alert and not re.search("NaN|Infinity", json.dumps(body)):
        assert answer.status_code in {200, 202}, answer.content
    assert answer.status_code in {200, 202, 422}, answer.content
