"""What is refused, and with which words: the same for every operation."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError
from django.test import Client
from redis import Redis

from notifier import limiting
from notifier.api import api_tokens
from notifier.api.strict import MOST_BYTES
from notifier.models import ApiToken, Scope, Source, SourceToken
from servers.redis import RedisServer
from tests.api.conftest import Ask, asker, problem, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

NEW = {"name": "status board", "scopes": ["read"]}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer {}", 200),
        ("bearer {}", 200),
        ("Bearer  {}", 401),
        ("Bearer", 401),
        ("Bearer ntu_unknown", 401),
        ("Basic {}", 401),
        ("{}", 401),
        ("", 401),
        ("Bearer \xff", 401),
    ],
)
def test_a_token_opens_and_nothing_else(anna: User, authorization: str, status: int) -> None:
    token = token_of(anna)
    answer = asker(None)("GET", "/tokens", Authorization=authorization.format(token))
    assert answer.status_code == status
    if status == 401:
        problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Bearer"
        assert token not in answer.content.decode()


def test_without_a_header_and_without_a_session_it_is_401(db: None) -> None:
    assert "ntu_" in problem(asker(None)("GET", "/tokens"), 401)["detail"]


def test_a_sources_token_is_nobodys(source: Source) -> None:
    problem(asker(SourceToken.issue(source))("GET", "/tokens"), 401)


def test_a_persons_token_posts_no_events(ask: Ask) -> None:
    problem(ask("POST", "/events", {"description": "x"}), 401)


def test_a_wrong_token_is_not_made_good_by_a_session(anna: User, client: Client) -> None:
    client.force_login(anna)
    assert client.get("/api/v1/tokens").status_code == 200
    problem(client.get("/api/v1/tokens", headers={"Authorization": "Bearer ntu_unknown"}), 401)


def test_a_user_who_is_not_active_any_more_is_nobody(anna: User, ask: Ask) -> None:
    anna.is_active = False
    anna.save()
    problem(ask("GET", "/tokens"), 401)


def test_a_session_changes_things_with_djangos_csrf_token_only(anna: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)
    assert client.get("/api/v1/tokens").status_code == 200
    refused = client.post("/api/v1/tokens", NEW, content_type="application/json")
    assert "X-CSRFToken" in problem(refused, 403)["detail"]
    assert not ApiToken.objects.exists()
    client.cookies["csrftoken"] = "x" * 32
    made = client.post(
        "/api/v1/tokens", NEW, content_type="application/json", headers={"X-CSRFToken": "x" * 32}
    )
    assert made.status_code == 201


@pytest.mark.parametrize(
    ("scope", "method", "path"), [("write", "GET", "/tokens"), ("read", "POST", "/tokens")]
)
def test_a_token_does_what_its_scopes_say(anna: User, scope: str, method: str, path: str) -> None:
    refused = problem(asker(token_of(anna, scope))(method, path, NEW), 403)
    assert (
        refused["detail"]
        == f"This needs a token with the scope {({'read', 'write'} - {scope}).pop()!r}."
    )


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"", "body", "required"),
        (b"{", "body", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"name": "a", "name": "b"}', "name", "the key occurs twice in one object"),
        (b'{"name": NaN}', "body", "NaN is no JSON; leave the number out or write null"),
        (b"\xff", "body", "not UTF-8 (byte 0); send JSON encoded as UTF-8"),
        (b'{"name": "a\\u0000", "scopes": ["read"]}', "name", "holds a NUL character; remove it"),
        (b'{"name": "\\ud800", "scopes": ["read"]}', "name", "holds half of a surrogate pair, which is no character"),
        ({**NEW, "owner": 1}, "owner", "unknown field; known are expires, name, scopes"),
        ({"scopes": ["read"]}, "name", "required"),
        ({**NEW, "name": 7}, "name", "write a text"),
        ({**NEW, "scopes": ["all"]}, "scopes[0]", "must be 'read', 'write' or 'operate'"),
        ({**NEW, "expires": "2036-11-23T09:30:00"}, "expires", "has no time zone: add an offset, such as 2026-11-23T09:30:00+01:00 or …Z"),
        ({**NEW, "expires": 1}, "expires", "write a time as ISO 8601 with its offset, such as 2026-11-23T09:30:00Z"),
        ({**NEW, "expires": "9999-12-31T23:59:59-23:00"}, "expires", "must lie between the years 2000 and 2200"),
        ({**NEW, "expires": "0001-01-01T00:00:00+14:00"}, "expires", "must lie between the years 2000 and 2200"),
        ({**NEW, "expires": "2006-11-23T09:30:00Z"}, "expires", "Must lie in the future."),
        ([], "body", "write an object"),
        (None, "body", "required"),
    ],
)  # fmt: skip
def test_a_body_that_breaks_a_rule_is_422_by_field(
    ask: Ask, body: object, field: str, message: str
) -> None:
    assert problem(ask("POST", "/tokens", body), 422)["errors"] == {field: message}
    assert ApiToken.objects.count() == 1


def test_each_broken_rule_is_named(ask: Ask) -> None:
    refused = problem(ask("POST", "/tokens", {"name": "", "scopes": [], "x": 1}), 422)
    assert refused["errors"].keys() == {"name", "scopes", "x"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_is_no_json_by_its_type_is_415(ask: Ask, content_type: str) -> None:
    problem(ask("POST", "/tokens", NEW, Content_Type=content_type), 415)


def test_a_body_may_not_be_large(ask: Ask, settings: Settings) -> None:
    refused = problem(ask("POST", "/tokens", b" " * (MOST_BYTES + 1)), 413)
    assert refused["detail"] == "The body is larger than 131,072 bytes; send less."
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    problem(ask("POST", "/tokens", b" " * 101), 413)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=0", "limit", "must be greater than or equal to 1"),
        ("limit=201", "limit", "must be less than or equal to 200"),
        ("limit=x", "limit", "write a whole number"),
        ("cursor=x", "cursor", "must be the `next` of this list with these filters; or leave it out"),
        ("cursor=%00", "cursor", "holds a NUL character; remove it"),
        ("colour=red", "colour", "unknown query parameter; known are cursor, limit"),
    ],
)  # fmt: skip
def test_a_query_that_breaks_a_rule_is_422_by_parameter(
    ask: Ask, query: str, field: str, message: str
) -> None:
    assert problem(ask("GET", f"/tokens?{query}"), 422)["errors"] == {field: message}


@pytest.mark.parametrize("pk", ["0", "-1", "x", "9" * 30, "1.5", "%00"])
def test_an_id_that_can_be_none_is_422(ask: Ask, pk: str) -> None:
    assert problem(ask("GET", f"/tokens/{pk}"), 422)["errors"].keys() == {"token_id"}


def test_an_id_that_is_not_there_is_404(ask: Ask) -> None:
    assert (
        problem(ask("GET", "/tokens/987654321"), 404)["detail"]
        == "You have no API token 987654321."
    )


@pytest.mark.parametrize("path", ["/nothing", "/tokens/1/nothing", "/tokens/", "/%00"])
def test_a_path_that_is_none_is_404(ask: Ask, path: str) -> None:
    assert "openapi.json" in problem(ask("GET", path), 404)["detail"]


def test_a_method_that_is_not_offered_is_405(ask: Ask) -> None:
    answer = ask("PUT", "/tokens", NEW)
    problem(answer, 405)
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


def test_a_database_that_is_away_is_503(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "page_by_id", fail_with(OperationalError("gone")))
    answer = ask("GET", "/tokens")
    problem(answer, 503)
    assert answer["Retry-After"] == "5"


def test_a_bug_is_500_and_logged_without_its_text(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api_tokens, "page_by_id", fail_with(ValueError("anna@example.org")))
    with caplog.at_level(logging.ERROR, "notifier.api.problems"):
        answer = ask("GET", "/tokens")
    problem(answer, 500)
    assert "anna@" not in answer.content.decode() + caplog.text
    assert "ValueError" in caplog.text
    assert "test_problems.py" in caplog.text


def fail_with(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture
def rate(settings: Settings) -> None:
    """Let a user ask twice a minute."""
    settings.NOTIFIER_API_RATE = "2/m burst 2"
    limiting._load.cache_clear()


def test_all_tokens_and_sessions_of_a_user_share_one_limit(
    rate: None, anna: User, ben: User, client: Client
) -> None:
    assert asker(token_of(anna))("GET", "/tokens").status_code == 200
    client.force_login(anna)
    assert client.get("/api/v1/tokens").status_code == 200
    answer = asker(token_of(anna, Scope.WRITE))("GET", "/tokens")
    assert problem(answer, 429)["detail"].startswith("You may ask 2/m burst 2")
    assert 1 <= int(answer["Retry-After"]) <= 30
    assert asker(token_of(ben))("GET", "/tokens").status_code == 200


def test_the_limit_is_open_while_redis_is_away(rate: None, settings: Settings, ask: Ask) -> None:
    settings.NOTIFIER_LIMITER = "tests.api.test_problems.Away"
    assert ask("GET", "/tokens").status_code == 200


def test_the_limit_is_one_over_all_processes(
    rate: None, settings: Settings, ask: Ask, redis_server: RedisServer
) -> None:
    Redis.from_url(redis_server.url).flushall()
    settings.NOTIFIER_LIMITER = "worker.rate_limits.RedisLimiter"
    settings.NOTIFIER_REDIS_URL = redis_server.url
    answers = []
    for _ in range(3):
        limiting._load.cache_clear()  # as another process would begin
        answers.append(ask("GET", "/tokens").status_code)
    assert (answers[0], answers[-1]) == (200, 429)


class Away:
    """A limiter whose Redis is away."""

    def take(self, _limits: object) -> None:
        """Fail."""
        raise ConnectionError


def test_problems_of_the_intake_are_json_too(source: Source, client: Client) -> None:
    headers = {"Authorization": f"Bearer {SourceToken.issue(source)}"}
    answer = client.post(
        "/api/v1/events", json.dumps({}), content_type="application/json", headers=headers
    )
    assert problem(answer, 422)["title"] == "Invalid event"
