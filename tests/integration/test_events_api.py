"""`POST /api/v1/events`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier.api import events as events_api
from notifier.ids import event_id_for
from notifier.models import Event, Incident, Source, SourceToken
from servers.process import free_port
from tests.recording import RecordingQueue
from tests.unit.test_schema import BAD_FIELDS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    Response = Any
    Post = Callable[..., Response]

URL = "/api/v1/events"
GOOD = {"description": "Disk full"}
AWAY_DETAIL = (
    "The database can't be reached; it is not known whether anything was stored. Send the "
    "request again: events with a source_event_id are stored once even if they were."
)


@pytest.fixture
def token(source: Source) -> str:
    return SourceToken.issue(source)


@pytest.fixture
def post(client: Client, token: str) -> Post:
    """Post a body, bytes as they are and anything else as JSON, with the shop's token."""

    def send(body: object, **headers: str) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        authorization = {"Authorization": f"Bearer {token}"}
        return client.post(
            URL, raw, content_type="application/json", headers={**authorization, **headers}
        )

    return send


def assert_refused(response: Response, status: int, *problems: str) -> None:
    """Hold an answer against RFC 9457, its problems against these, and the tables against nothing."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    if problems:
        assert tuple(f"{each['field']}: {each['message']}" for each in body["errors"]) == problems
        assert body["detail"].startswith(problems[0][:2000])
    assert not Event.objects.exists()
    assert not Incident.objects.exists()


def test_an_event_is_stored_before_it_is_answered(post: Post, source: Source) -> None:
    response = post({**GOOD, "level": 2, "tags": ["host=db1"], "metadata": {"rack": 7}})
    assert response.status_code == 202
    stored = Event.objects.get()
    assert response.json() == {"id": str(stored.pk), "repeated": False}
    assert stored.source == source
    assert (stored.description, stored.level, stored.type) == ("Disk full", 2, "LES")
    assert (stored.tags, stored.metadata) == (["host=db1"], {"rack": 7})
    assert stored.state == Event.State.ACCEPTED


def test_a_list_is_answered_in_its_order(post: Post) -> None:
    response = post([{"description": f"event {number}"} for number in range(3)])
    assert response.status_code == 202
    ids = [each["id"] for each in response.json()["events"]]
    stored = {str(each.pk): each.description for each in Event.objects.all()}
    assert [stored[each] for each in ids] == ["event 0", "event 1", "event 2"]


def test_the_queue_hears_of_it_after_the_commit(
    post: Post, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = post(GOOD)
        assert queue.dispatched == []
    assert queue.dispatched == [uuid.UUID(response.json()["id"])]


def test_a_repeat_is_answered_200_with_the_same_id(post: Post) -> None:
    named = {**GOOD, "source_event_id": "4711"}
    first, second = post(named), post(named)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == {"id": str(event_id_for("shop", "4711")), "repeated": False}
    assert second.json() == {"id": first.json()["id"], "repeated": True}
    assert Event.objects.count() == 1


def test_a_list_of_repeats_and_one_new_event_is_answered_202(post: Post) -> None:
    old, new = ({**GOOD, "source_event_id": own} for own in "12")
    post(old)
    response = post([old, new, new])
    assert response.status_code == 202
    assert [each["repeated"] for each in response.json()["events"]] == [True, False, True]
    assert post([old, new]).status_code == 200
    assert Event.objects.count() == 2


def test_the_same_id_with_another_body_is_a_conflict(post: Post) -> None:
    post({**GOOD, "source_event_id": "4711"})
    response = post([{"description": "new"}, {**GOOD, "source_event_id": "4711", "level": 1}])
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == (
        f"source_event_id: event {event_id_for('shop', '4711')} was accepted before with another "
        "body; send the same body again, or give a new event another source_event_id"
    )
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (fields, sentence)
        for fields, sentence in BAD_FIELDS
        if not sentence.endswith("not a finite number")  # which JSON can't even say
    ],
)
def test_a_bad_field_is_answered_with_its_sentence(
    post: Post, fields: dict[str, Any], sentence: str
) -> None:
    assert_refused(post({**GOOD, **fields}), 422, sentence)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "body: not JSON: Expecting value at line 1, column 1"),
        (b"description=Disk+full", "body: not JSON: Expecting value at line 1, column 1"),
        (b'{"description": "\xff\xfe"}', "body: not UTF-8 (byte 17); send JSON encoded as UTF-8"),
        (b"[" * 20_000 + b"]" * 20_000, "body: nested more than 20 deep"),
        (
            b'{"description": "x", "metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
            f"metadata{'.a' * 19}: nested more than 20 deep",
        ),
        (
            b'{"description": "x", "metadata": {"a": NaN}}',
            "body: NaN is no JSON; leave the number out or write null",
        ),
        (
            b'{"description": "x", "metadata": {"a": -Infinity}}',
            "body: -Infinity is no JSON; leave the number out or write null",
        ),
        (
            b'{"description": "x", "metadata": {"a": 1e999}}',
            "metadata.a: not a finite number",
        ),
        (
            b'{"description": "x", "description": "y"}',
            "description: the key occurs twice in one object",
        ),
        (
            b'{"description": "x", "metadata": {"\\ud800": 1, "\\ud800": 2}}',
            "body: holds half of a surrogate pair, which is no character",
        ),
        (
            b'{"description": "x", "level": ' + b"9" * 5000 + b"}",
            "body: holds a number of too many digits",
        ),
        (b"[]", "body: a list holds 1 to 1000 events; this one 0"),
        (
            b'"Disk full"',
            'event: an event is an object, such as {"description": "disk full", "level": 2}',
        ),
        (
            b"null",
            'event: an event is an object, such as {"description": "disk full", "level": 2}',
        ),
        (
            b'[{"description": "x"}, 5]',
            '[1]: an event is an object, such as {"description": "disk full", "level": 2}',
        ),
        (b"{}", "description: required"),
    ],
)
def test_a_bad_body_is_answered_with_its_sentence(post: Post, body: bytes, problem: str) -> None:
    assert_refused(post(body), 422, problem)


def test_a_thousand_events_are_taken_and_one_more_is_not(post: Post) -> None:
    assert_refused(post([GOOD] * 1001), 422, "body: a list holds 1 to 1000 events; this one 1001")
    assert post([GOOD] * 1000).status_code == 202
    assert Event.objects.count() == 1000


def test_every_bad_event_of_a_list_is_named_and_none_is_stored(post: Post) -> None:
    assert_refused(
        post([GOOD, {"description": ""}, GOOD, {**GOOD, "tags": ["a=b", "c"]}]),
        422,
        "[1].description: String should have at least 1 character",
        "[3].tags[1]: write key=value each, in a list; "
        "a key holds letters, digits and _ . : / @ - only",
    )


def test_ten_thousand_bad_tags_are_answered_shortly(post: Post) -> None:
    response = post({**GOOD, "tags": [f"bad{number}" for number in range(10_000)]})
    assert_refused(response, 422)
    assert len(response.content) < 20_000


def test_a_body_over_the_limit_is_not_read(post: Post, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = post({"description": "x" * 1000})
    assert_refused(response, 413)
    assert response.json()["detail"] == (
        "The body is larger than 1,000 bytes; post fewer events at once."
    )


def test_unknown_recipients_are_named_by_their_place(post: Post, anna: User) -> None:
    problem = "recipients[1]: there is no user 'nobody'"
    assert_refused(post({**GOOD, "recipients": ["anna", "nobody"]}), 422, problem)
    addressed = [{**GOOD, "recipients": [name]} for name in ("anna", "anna", "Anna")]
    assert_refused(post(addressed), 422, "[2].recipients[0]: there is no user 'Anna'")


def test_very_many_unknown_recipients_are_no_trouble(post: Post) -> None:
    names = [[f"user-{number}-{each}" for each in range(1000)] for number in range(251)]
    response = post([{**GOOD, "recipients": each} for each in names])
    assert_refused(response, 422)
    assert response.json()["errors"][0] == {
        "field": "[0].recipients[0]",
        "message": "there is no user 'user-0-0'",
    }
    assert len(response.content) < 20_000


def test_a_source_posts_for_itself_only(post: Post, db: None) -> None:
    Source.objects.create(name="bank")
    response = post([GOOD, {**GOOD, "source": "bank"}])
    assert_refused(response, 403)
    assert response.json()["detail"] == (
        "This token is source 'shop''s; it can't post for 'bank'. Leave `source` out."
    )
    assert post({**GOOD, "source": "shop"}).status_code == 202


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nts_unknown",
        "Bearer {token} x",
        "Bearer  {token}",
        "bearer{token}",
        "Basic {token}",
        "Token {token}",
        "{token}",
        "Bearer {token}\0",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 100_000,
        ", ,",
    ],
)
def test_a_header_without_a_good_token_is_answered_401(
    post: Post, token: str, authorization: str
) -> None:
    response = post(GOOD, Authorization=authorization.format(token=token))
    assert_refused(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"
    assert token not in response.content.decode()


def test_without_a_header_it_is_answered_401(client: Client, token: str) -> None:
    assert_refused(client.post(URL, GOOD, content_type="application/json"), 401)


def test_a_revoked_token_opens_nothing_from_now_on(post: Post) -> None:
    assert post(GOOD).status_code == 202
    Event.objects.all().delete()
    SourceToken.objects.update(revoked_at=timezone.now())
    assert_refused(post(GOOD), 401)


def test_two_tokens_of_a_source_are_good_at_once(
    post: Post, client: Client, source: Source
) -> None:
    other = SourceToken.issue(source)
    assert post(GOOD).status_code == 202
    assert post(GOOD, Authorization=f"bearer {other}").status_code == 202


@pytest.mark.parametrize(
    ("method", "status"), [("put", 405), ("delete", 405), ("patch", 405), ("get", 401)]
)
def test_a_source_may_only_post(client: Client, token: str, method: str, status: int) -> None:
    answer = getattr(client, method)(URL, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status


@pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("closed")])
def test_a_database_that_goes_away_is_answered_503(
    post: Post, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(events_api, "accept", refuse)
    response = post(GOOD)
    assert_refused(response, 503)
    assert response["Retry-After"] == "5"
    assert response.json()["detail"] == AWAY_DETAIL


AWAY = """
import json, sys
import django
django.setup()
from django.test import Client
answer = Client().post("/api/v1/events", {"description": "x"}, content_type="application/json",
                       headers={"Authorization": "Bearer nts_x", "Host": "localhost"})
print(json.dumps([answer.status_code, answer.headers.get("Retry-After"), answer.json()["detail"]]))
"""


def test_a_kept_connection_that_broke_is_made_anew(post: Post, transactional_db: None) -> None:
    assert post(GOOD).status_code == 202
    if connection.vendor == "postgresql":
        killed = connection.connection.info.backend_pid
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [killed])
        other.close()
    assert post(GOOD).status_code == 202
    assert Event.objects.count() == 2


def test_a_connection_that_can_not_be_made_anew_is_answered_503(
    post: Post, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refuse(_token: str) -> None:
        tries.append(connection.connection)
        raise OperationalError("gone")

    monkeypatch.setattr("notifier.api.tokens.source_of_token", refuse)
    connection.ensure_connection()
    assert post(GOOD).status_code == 503
    assert len(tries) == 2
    assert tries[1] is None


@pytest.mark.parametrize("fields", [{}, {"source_event_id": "{}"}, {"incident_key": "{}"}])
def test_a_list_costs_as_many_queries_as_one_event(
    post: Post, transactional_db: None, fields: dict[str, str]
) -> None:
    def queries_of(*numbers: int) -> list[str]:
        named = [
            {**GOOD, **{name: value.format(number) for name, value in fields.items()}}
            for number in numbers
        ]
        with CaptureQueriesContext(connection) as queries:
            assert post(named).status_code == 202
        return [each["sql"].split()[0] for each in queries]

    post({**GOOD, "level": 1})  # has the look at the backlog behind it
    post(GOOD)
    one = queries_of(0)
    assert queries_of(*range(1, 41)) == one  # what one statement of SQLite takes
    if connection.vendor == "postgresql" and not fields:
        assert one == ["SELECT", "INSERT"]


@pytest.mark.parametrize("engine", ["postgres", "sqlite"])
def test_a_database_that_is_not_there_is_answered_503(engine: str, tmp_path: Path) -> None:
    urls = {
        "postgres": f"postgres://notifier@127.0.0.1:{free_port()}/notifier",
        "sqlite": f"sqlite:///{tmp_path}/no/such/directory/db",
    }
    ended = subprocess.run(
        [sys.executable, "-c", AWAY],
        env={
            **os.environ,
            "DATABASE_URL": urls[engine],
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [503, "5", AWAY_DETAIL]


def test_the_descriptions_schema_is_the_one_that_is_enforced(client: Client) -> None:
    described = client.get("/api/v1/openapi.json").json()
    body = described["paths"][URL]["post"]["requestBody"]["content"]["application/json"]["schema"]
    ref, many = body["oneOf"]
    assert many["items"] == ref
    one = described["components"]["schemas"][ref["$ref"].rpartition("/")[2]]
    assert one["additionalProperties"] is False
    assert one["required"] == ["description"]
    assert (many["minItems"], many["maxItems"]) == (1, 1000)
    answers = described["paths"][URL]["post"]["responses"]
    assert set(map(int, answers)) == {200, 202, 401, 403, 409, 413, 422, 429, 503}
