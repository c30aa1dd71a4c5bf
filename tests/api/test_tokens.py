"""Tokens of persons: made, narrowed, used, revoked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier.models import ApiToken, Scope, api_token
from tests.api.conftest import Ask, asker, problem, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

YEAR = dt.timedelta(days=365)
NEW = {"name": "status board", "scopes": ["read"]}


def test_a_token_is_shown_once_and_kept_as_a_hash(ask: Ask, anna: User) -> None:
    made = ask("POST", "/tokens", NEW)
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("ntu_")
    assert made["Location"] == f"/api/v1/tokens/{made.json()['id']}"
    row = ApiToken.objects.get(pk=made.json()["id"])
    assert token not in repr(vars(row))
    assert (row.user, row.name, row.scopes) == (anna, "status board", ["read"])
    assert asker(token)("GET", "/tokens").status_code == 200
    shown = ask("GET", made["Location"]).json()
    assert shown == {k: v for k, v in made.json().items() if k != "token"} | {
        "last_used": shown["last_used"]
    }
    assert shown["prefix"] == token[:8]
    assert token not in ask("GET", "/tokens").content.decode()


def test_the_list_is_the_users_own_and_comes_in_pages(ask: Ask, ben: User) -> None:
    token_of(ben)
    made = [ask("POST", "/tokens", {**NEW, "name": f"token {n}"}).json()["id"] for n in range(4)]
    first = ask("GET", "/tokens?limit=3").json()
    rest = ask("GET", f"/tokens?limit=3&cursor={first['next']}").json()
    assert [each["id"] for each in first["items"] + rest["items"]][1:] == made
    assert rest["next"] is None


def test_a_token_makes_none_that_may_more_or_lives_longer(anna: User) -> None:
    ends = timezone.now() + YEAR
    narrow = asker(token_of(anna, Scope.READ, Scope.WRITE, expires=ends))
    wider = problem(narrow("POST", "/tokens", {**NEW, "scopes": ["read", "operate"]}), 422)
    assert wider["errors"] == {
        "scopes": "The token that makes it lacks operate; it can't give that."
    }
    later = {**NEW, "expires": (ends + YEAR).isoformat()}
    assert problem(narrow("POST", "/tokens", later), 422)["errors"].keys() == {"expires"}
    made = narrow("POST", "/tokens", NEW).json()
    assert dt.datetime.fromisoformat(made["expires"]) == ends
    assert made["made_by"] == ApiToken.objects.order_by("pk").first().pk  # type: ignore[union-attr]
    sooner = {**NEW, "expires": (ends - YEAR / 2).isoformat()}
    assert narrow("POST", "/tokens", sooner).status_code == 201


def test_a_token_is_revoked_with_all_that_descend_from_it(anna: User) -> None:
    tokens = [token_of(anna)]
    for _ in range(3):
        tokens.append(
            asker(tokens[-1])("POST", "/tokens", {**NEW, "scopes": ["read", "write"]}).json()[
                "token"
            ]
        )
    other = token_of(anna)
    second = ApiToken.objects.get(sha256=ApiToken.digest(tokens[1]))
    assert asker(other)("POST", f"/tokens/{second.pk}/revoke").status_code == 200
    assert [asker(each)("GET", "/tokens").status_code for each in tokens] == [200, 401, 401, 401]
    assert asker(other)("GET", f"/tokens/{second.pk}").json()["revoked_at"]


def test_what_a_token_revoked_meanwhile_makes_is_refused(anna: User) -> None:
    maker = ApiToken.issue(anna, name="a", scopes=["read"])[0]
    ApiToken.objects.update(revoked_at=timezone.now())
    with pytest.raises(ValidationError, match="not valid any more"):
        ApiToken.issue(anna, name="b", scopes=["read"], made_by=maker)


def test_nobody_makes_tokens_with_anothers(anna: User, ben: User) -> None:
    maker = ApiToken.issue(ben, name="a", scopes=["read"])[0]
    with pytest.raises(ValidationError, match="not valid any more"):
        ApiToken.issue(anna, name="b", scopes=["read"], made_by=maker)


def test_an_expiry_may_have_any_offset(ask: Ask) -> None:
    made = ask("POST", "/tokens", {**NEW, "expires": "2036-11-23T09:30:00+23:59"})
    assert made.json()["expires"] == "2036-11-22T09:31:00Z"


def test_a_token_ends_when_it_expires(anna: User) -> None:
    ask = asker(token_of(anna, expires=timezone.now() + YEAR))
    assert ask("GET", "/tokens").status_code == 200
    with time_machine.travel(timezone.now() + YEAR):
        problem(ask("GET", "/tokens"), 401)


def test_its_use_is_noted_once_a_minute(anna: User) -> None:
    ask = asker(token_of(anna))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        used = []
        for seconds in (0, 59, 1):
            clock.shift(seconds)
            with CaptureQueriesContext(connection) as queries:
                ask("GET", "/tokens")
            used.append(ApiToken.objects.get().last_used)
            assert len([q for q in queries if q["sql"].startswith("UPDATE")]) == (seconds != 59)
    assert used[0] == used[1]
    assert used[2] - used[0] == dt.timedelta(minutes=1)  # type: ignore[operator]


def test_a_user_has_so_many_and_no_more(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_token, "MOST_LIVE", 3)
    monkeypatch.setattr(api_token, "MOST_DEAD", 2)
    made = [ask("POST", "/tokens", NEW).json()["id"] for _ in range(2)]
    refused = problem(ask("POST", "/tokens", NEW), 409)
    assert refused["detail"] == "A user has at most 3 tokens that are valid; revoke one first."
    for _ in range(5):
        ask("POST", f"/tokens/{made[-1]}/revoke")
        made.append(ask("POST", "/tokens", NEW).json()["id"])
    listed = [each["id"] for each in ask("GET", "/tokens").json()["items"]]
    assert made[0] in listed  # alive, so kept
    assert listed[2:] == made[-3:]


def test_a_session_makes_tokens_of_any_scope(anna: User, client: Client) -> None:
    client.force_login(anna)
    body = {"name": "all", "scopes": ["operate", "read", "read"]}
    made = client.post("/api/v1/tokens", body, content_type="application/json").json()
    assert (made["scopes"], made["made_by"]) == (["read", "operate"], None)


def test_the_command_prints_a_token(anna: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "token", "anna", "--name", "cron", "--scope", "read", "--scope", "write", "--expires", "1"
    )
    said = capsys.readouterr()
    assert "'cron' of anna" in said.err
    assert asker(said.out.strip())("GET", "/tokens").status_code == 200
    row = ApiToken.objects.get()
    assert row.scopes == ["read", "write"]
    assert row.expires is not None
    assert dt.timedelta(hours=23) < row.expires - timezone.now() <= dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody", "--name", "x"), "There is no user 'nobody'."),
        (("anna", "--name", "x", "--expires", "-1"), "Must lie in the future."),
        (
            ("anna", "--name", "x", "--expires", "1e99"),
            "--expires is a number of days, such as 365.",
        ),
        (("anna", "--name", "x" * 101), "at most 100 characters"),
    ],
)
def test_the_command_says_what_is_wrong(
    anna: User, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence.replace(".", r"\.")):
        call_command("token", *arguments)


def test_the_admin_shows_and_revokes_tokens(anna: User, admin_client: Client) -> None:
    maker = ApiToken.issue(anna, name="first", scopes=["read"])[0]
    made = ApiToken.issue(anna, name="second", scopes=["read"], made_by=maker)[0]
    page = admin_client.get("/admin/notifier/apitoken/")
    assert maker.prefix in page.content.decode()
    assert maker.sha256 not in page.content.decode()
    shown = admin_client.get(f"/admin/notifier/apitoken/{maker.pk}/change/").content.decode()
    assert "first" in shown
    assert maker.sha256 not in shown
    admin_client.post(
        "/admin/notifier/apitoken/", {"action": "revoke", "_selected_action": [maker.pk]}
    )
    made.refresh_from_db()
    assert made.revoked_at is not None
