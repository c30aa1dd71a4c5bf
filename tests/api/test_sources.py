"""Sources and their tokens, made and changed by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import models
from django.test import Client

from notifier.api.sources import SourceFields
from notifier.models import Event, SigningSecret, Source, SourceToken
from tests.api.conftest import ROOT, Ask, asker, problem, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def ask(admin_user: User) -> Ask:
    """Asks for an operator who may do everything."""
    return asker(token_of(admin_user, "operate"))


def post_as(token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"description": "Disk full"}
    return Client().post(f"{ROOT}/events", body, content_type="application/json", headers=headers)


def test_a_source_is_made_with_a_token_and_posts_until_it_is_revoked(ask: Ask) -> None:
    made = ask("POST", "/sources", {"name": "network-monitor", "type": "nms"})
    assert made.status_code == 201
    source = made.json()
    assert (source["name"], source["type"]) == ("network-monitor", "nms")
    assert made["Location"] == f"{ROOT}/sources/{source['id']}"
    path = f"/sources/{source['id']}/tokens"
    issued = ask("POST", path)
    assert issued.status_code == 201
    token = issued.json()["token"]
    assert post_as(token).status_code == 202

    listed = ask("GET", path)
    assert token not in listed.content.decode()
    [shown] = listed.json()["items"]
    assert (shown["prefix"], shown["revoked_at"]) == (token[:8], None)
    revoked = ask("POST", f"{path}/{shown['id']}/revoke")
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"]
    assert post_as(token).status_code == 401
    assert ask("POST", f"{path}/{shown['id']}/revoke").json() == revoked.json()


def test_a_signing_secret_is_shown_once_and_revoked(ask: Ask, source: Source) -> None:
    path = f"/sources/{source.pk}/signing-secrets"
    issued = ask("POST", path).json()
    assert issued["secret"] == SigningSecret.objects.get().secret
    listed = ask("GET", path)
    assert issued["secret"] not in listed.content.decode()
    [shown] = listed.json()["items"]
    assert shown == {name: value for name, value in issued.items() if name != "secret"}
    assert ask("POST", f"{path}/{shown['id']}/revoke").json()["revoked_at"]
    assert SigningSecret.objects.get().revoked_at
    other = Source.objects.create(name="other")
    problem(ask("POST", f"/sources/{other.pk}/signing-secrets/{shown['id']}/revoke"), 404)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("default_level", 1, 0),
        ("default_level", 5, 6),
        ("default_level", 2, "2"),
        ("mapping", {"description": "message"}, {"description": "]"}),
        ("mapping", {}, {"level": "prio"}),
        ("mapping", {}, []),
        ("limits", {"tags": 7}, {"tags": 0}),
        ("limits", {}, {"colour": 7}),
        ("base_url", "https://nms.example.org/", "nms"),
        ("base_url", "", None),
        ("heartbeat_interval", 60, 1),
        ("heartbeat_interval", None, 10**9),
    ],
)
def test_every_field_is_checked_by_its_own_rules(
    ask: Ask, source: Source, field: str, good: object, bad: object
) -> None:
    path = f"/sources/{source.pk}"
    refused = problem(ask("PATCH", path, {field: bad}, If_Match="*"), 422)
    assert list(refused["errors"]) == [field]
    taken = ask("PATCH", path, {field: good}, If_Match="*")
    assert taken.status_code == 200, taken.content
    assert taken.json()[field] == good
    source.refresh_from_db()
    assert getattr(source, field) == good


def test_a_change_leaves_signs_of_life_alone(ask: Ask, source: Source) -> None:
    Source.objects.update(silent_since="2026-11-23T12:00:00Z")
    ask("PATCH", f"/sources/{source.pk}", {"type": "cron"}, If_Match="*")
    source.refresh_from_db()
    assert source.silent_since


def test_sources_are_listed(ask: Ask) -> None:
    for name in ("a", "b", "c"):
        Source.objects.create(name=name)
    page = ask("GET", "/sources?limit=2").json()
    assert [each["name"] for each in page["items"]] == ["a", "b"]
    rest = ask("GET", f"/sources?limit=2&cursor={page['next']}").json()
    assert [each["name"] for each in rest["items"]] == ["c"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a:b"}, "name"),
        ({"name": "shop"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a", "type": "x" * 51}, "type"),
        ({"name": "a", "type": ""}, "type"),
        ({"name": "a", "type": None}, "type"),
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "a", "id": 7}, "id"),
    ],
)
def test_a_source_that_is_none_is_refused(
    ask: Ask, source: Source, body: dict[str, Any], field: str
) -> None:
    assert field in problem(ask("POST", "/sources", body), 422)["errors"]
    assert Source.objects.count() == 1


def test_two_operators_can_not_overwrite_each_other(ask: Ask, source: Source) -> None:
    path = f"/sources/{source.pk}"
    version = ask("GET", path)["ETag"]
    problem(ask("PATCH", path, {"type": "cron"}), 428)
    changed = ask("PATCH", path, {"type": "cron"}, If_Match=version)
    assert changed.status_code == 200
    assert changed.json()["type"] == "cron"
    problem(ask("PATCH", path, {"type": "app"}, If_Match=version), 412)
    problem(ask("DELETE", path, If_Match=version), 412)
    assert ask("GET", path)["ETag"] == changed["ETag"]


def test_what_is_left_out_stays_and_the_name_stays_for_good(ask: Ask, source: Source) -> None:
    path = f"/sources/{source.pk}"
    Source.objects.update(type="cron")
    assert ask("PATCH", path, {}, If_Match="*").json()["type"] == "cron"
    assert "name" in problem(ask("PATCH", path, {"name": "b"}, If_Match="*"), 422)["errors"]
    assert "type" in problem(ask("PATCH", path, {"type": None}, If_Match="*"), 422)["errors"]


def test_one_without_events_is_deleted_with_its_tokens(ask: Ask, source: Source) -> None:
    SourceToken.issue(source)
    assert ask("DELETE", f"/sources/{source.pk}", If_Match="*").status_code == 204
    assert not Source.objects.exists()
    assert not SourceToken.objects.exists()


def test_one_with_events_stays(ask: Ask, source: Source) -> None:
    post_as(SourceToken.issue(source))
    answer = problem(ask("DELETE", f"/sources/{source.pk}", If_Match="*"), 409)
    assert "revoke its tokens" in answer["detail"]
    assert Event.objects.exists()
    assert SourceToken.objects.exists()


def test_anothers_token_is_not_there(ask: Ask, source: Source) -> None:
    SourceToken.issue(source)
    token = SourceToken.objects.get()
    other = Source.objects.create(name="other")
    problem(ask("POST", f"/sources/{other.pk}/tokens/{token.pk}/revoke"), 404)
    problem(ask("POST", "/sources/987654/tokens"), 404)
    token.refresh_from_db()
    assert token.revoked_at is None


def test_every_field_that_an_operator_may_change_can_be_changed() -> None:
    editable = {
        field.name
        for field in Source._meta.get_fields()
        if isinstance(field, models.Field) and field.editable and not field.primary_key
    }
    assert editable - {"name"} == set(SourceFields.model_fields)
