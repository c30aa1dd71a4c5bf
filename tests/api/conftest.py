"""Two people, their tokens, and asking with these."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from notifier.models import ApiToken, Scope
from tests.integration.conftest import counting  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ROOT = "/api/v1"
Ask = Callable[..., Any]


def token_of(user: User, *scopes: str, **options: Any) -> str:
    """Return a new token of a user; without scopes it has all of them."""
    return ApiToken.issue(user, name="tests", scopes=scopes or list(Scope), **options)[1]


def asker(token: str | None) -> Ask:
    """Return what asks with a token: `ask("POST", "/tokens", {…}, If_Match="*")`.

    A body of bytes is sent as it is.
    """
    client = Client(raise_request_exception=False)

    def ask(method: str, path: str, body: object = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = sent.pop("Content-Type", "application/json")
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        return client.generic(
            method, path if path.startswith(ROOT) else ROOT + path, raw, content_type, headers=sent
        )

    return ask


def problem(answer: Any, status: int) -> dict[str, Any]:
    """Hold an answer against RFC 9457 and return it, its `errors` as `{field: message}`."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert body["detail"]
    return {**body, "errors": {each["field"]: each["message"] for each in body["errors"]}}


@pytest.fixture
def ben(db: None, django_user_model: type[User]) -> User:
    """Somebody else."""
    return django_user_model.objects.create_user("ben", email="ben@example.org")


@pytest.fixture
def ask(anna: User) -> Ask:
    """Asks with Anna's token, which has all scopes."""
    return asker(token_of(anna))
