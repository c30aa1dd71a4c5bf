"""Everything belongs to somebody: generated over every operation that the API describes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.core import serializers

from notifier.api.document import operations_of
from notifier.models import (
    ApiToken,
    Delivery,
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    Scope,
    Source,
    SourceToken,
    TimeRecurrence,
    Timeslot,
)
from tests.api.conftest import asker, token_of
from tests.api.test_document import DOCUMENT
from tests.api.things import EVERYBODYS, MARK, OPERATORS_OWN, PERSONS, SOURCES_OWN, request_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OWNED = (
    *(ApiToken, Delivery, DestinationConfig, Filter, NotificationProfile),
    *(Preferences, TimeRecurrence, Timeslot),
)
Operation = dict[str, Any]


def each(wanted: list[tuple[str, str, Operation]]) -> pytest.MarkDecorator:
    ids = [operation["operationId"] for _, _, operation in wanted]
    return pytest.mark.parametrize(("path", "method", "operation"), wanted, ids=ids)


OPERATORS = [found for found in operations_of(DOCUMENT) if found[2]["operationId"] in OPERATORS_OWN]
SOURCES = [found for found in operations_of(DOCUMENT) if found[2]["operationId"] in SOURCES_OWN]


def rows_of(user: User) -> str:
    """Return all that is a user's in the database."""
    ApiToken.objects.update(last_used=None)
    rows = []
    for model in OWNED:
        owner = "timeslot__user" if model is TimeRecurrence else "user"
        rows += list(model._default_manager.filter(**{owner: user}).order_by("pk"))
    return str(serializers.serialize("json", rows))


@each(PERSONS)
def test_its_owner_may(path: str, method: str, operation: Operation, anna: User) -> None:
    path, body, headers = request_of(operation, path, by=anna, anna=anna)
    answer = asker(token_of(anna))(method, path, body, **headers)
    assert 200 <= answer.status_code < 300, answer.content


@each(PERSONS)
def test_another_person_may_not(
    path: str, method: str, operation: Operation, anna: User, ben: User
) -> None:
    asked, body, headers = request_of(operation, path, by=ben, anna=anna)
    ask = asker(token_of(ben))
    before = rows_of(anna)
    answer = ask(method, asked, body, **headers)
    assert rows_of(anna) == before
    assert MARK not in answer.content.decode()
    if "{" in path and operation["operationId"] not in EVERYBODYS:
        assert answer.status_code in {403, 404}, answer.content
        missing = ask(method, leading_nowhere(path, operation), body, **headers)
        assert without_numbers(answer) == without_numbers(missing), "tells that it is there"
    else:
        assert answer.status_code < 300, answer.content


def leading_nowhere(path: str, operation: Operation) -> str:
    """Return a path with ids of things that are not there."""
    for each_one in operation["parameters"]:
        number = each_one["schema"].get("type") == "integer"
        nothing = "987654321" if number else "00000000-0000-4000-8000-000000000000"
        path = path.replace(f"{{{each_one['name']}}}", nothing)
    return path


def without_numbers(answer: Any) -> tuple[int, str]:
    return answer.status_code, "".join(c for c in answer.content.decode() if not c.isdigit())


@each(PERSONS)
def test_nobody_may_not(path: str, method: str, operation: Operation, anna: User) -> None:
    path, body, headers = request_of(operation, path, by=anna, anna=anna)
    source = Source.objects.create(name="a source")
    before = rows_of(anna)
    for token in (None, SourceToken.issue(source)):
        assert asker(token)(method, path, body, **headers).status_code == 401
    assert rows_of(anna) == before


@each(PERSONS)
def test_a_token_without_the_scope_may_not(
    path: str, method: str, operation: Operation, anna: User
) -> None:
    scope = next(each for each in Scope if f"the scope `{each}`" in operation["description"])
    path, body, headers = request_of(operation, path, by=anna, anna=anna)
    ask = asker(token_of(anna, *(set(Scope) - {scope})))
    before = rows_of(anna)
    assert ask(method, path, body, **headers).status_code == 403
    assert rows_of(anna) == before


@each(OPERATORS)
def test_an_operators_work_wants_scope_and_permission(
    path: str, method: str, operation: Operation, anna: User, ben: User
) -> None:
    path, body, headers = request_of(operation, path, by=ben, anna=anna)
    named = set(re.findall(r"`notifier\.(\w+)`", operation["description"]))
    needed = Permission.objects.filter(content_type__app_label="notifier", codename__in=named)
    assert named == set(needed.values_list("codename", flat=True))
    assert named
    ben.user_permissions.set(Permission.objects.exclude(pk__in=needed))
    assert asker(token_of(ben))(method, path, body, **headers).status_code == 403
    ben.user_permissions.set(needed)
    narrow = asker(token_of(ben, Scope.READ, Scope.WRITE))
    assert narrow(method, path, body, **headers).status_code == 403
    answer = asker(token_of(ben, Scope.OPERATE))(method, path, body, **headers)
    assert 200 <= answer.status_code < 300, answer.content


@each(SOURCES)
def test_a_sources_work_is_no_persons(
    path: str, method: str, operation: Operation, anna: User, admin_user: User
) -> None:
    path, body, headers = request_of(operation, path, by=anna, anna=anna)
    for user in (anna, admin_user):
        assert asker(token_of(user))(method, path, body, **headers).status_code == 401
