"""What holds for every operation of persons and operators: generated over the description."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import asker, problem, token_of
from tests.api.test_ownership import OPERATORS, Operation, each
from tests.api.things import PERSONS, request_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ALL = [*PERSONS, *OPERATORS]
WITH_BODY = [found for found in ALL if "requestBody" in found[2]]
GUARDED = [
    found for found in ALL if any(each["name"] == "If-Match" for each in found[2]["parameters"])
]


@pytest.fixture
def user(anna: User) -> User:
    """Anna, who may do everything here."""
    anna.is_superuser = True
    anna.save()
    return anna


@each(ALL)
def test_a_query_parameter_that_nobody_reads_is_refused(
    path: str, method: str, operation: Operation, user: User
) -> None:
    path, body, headers = request_of(operation, path, by=user, anna=user)
    answer = asker(token_of(user))(method, f"{path}?unheard_of=1", body, **headers)
    assert problem(answer, 422)["errors"].keys() == {"unheard_of"}


@each(WITH_BODY)
def test_a_field_that_nobody_reads_is_refused(
    path: str, method: str, operation: Operation, user: User
) -> None:
    path, body, headers = request_of(operation, path, by=user, anna=user)
    answer = asker(token_of(user))(method, path, {**body, "unheard_of": 1}, **headers)
    assert problem(answer, 422)["errors"]["unheard_of"].startswith("unknown field; known are ")


@each(WITH_BODY)
def test_a_body_of_another_type_is_refused(
    path: str, method: str, operation: Operation, user: User
) -> None:
    path, body, headers = request_of(operation, path, by=user, anna=user)
    ask = asker(token_of(user))
    problem(ask(method, path, body, **headers, Content_Type="text/plain"), 415)


@each(GUARDED)
def test_what_two_people_may_change_wants_its_version(
    path: str, method: str, operation: Operation, user: User
) -> None:
    path, body, _ = request_of(operation, path, by=user, anna=user)
    ask = asker(token_of(user))
    problem(ask(method, path, body), 428)
    problem(ask(method, path, body, If_Match='"another"'), 412)
