"""What two programs ask for at the same moment: one after the other, and bounds hold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from notifier.models import ApiToken, Timeslot
from notifier.models import api_token as tokens
from tests.api.conftest import asker, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db(transaction=True)
NIGHTS = [{"days": [1], "start": "22:00", "end": "06:00"}]


def at_once(ask: Callable[[int], Any], count: int = 6) -> list[int]:
    """Ask so many times at the same moment; return the statuses, sorted."""
    start = threading.Barrier(count)
    statuses: list[int] = []

    def run(number: int) -> None:
        try:
            start.wait(10)
            statuses.append(ask(number).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(statuses) == count
    return sorted(statuses)


def test_of_changes_of_the_same_version_one_is_made(anna: User) -> None:
    token = token_of(anna)
    path = f"/timeslots/{anna.timeslots.get().pk}"
    version = asker(token)("GET", path)["ETag"]

    def rename(number: int) -> Any:
        return asker(token)("PATCH", path, {"name": f"slot {number}"}, If_Match=version)

    assert at_once(rename) == [200, *[412] * 5]


def test_of_things_of_the_same_name_one_is_made(anna: User) -> None:
    token = token_of(anna)
    body = {"name": "nights", "recurrences": NIGHTS}
    assert at_once(lambda _: asker(token)("POST", "/timeslots", body)) == [201, *[422] * 5]
    assert Timeslot.objects.get(name="nights").recurrences.count() == 1


def test_no_more_tokens_are_made_than_a_user_may_have(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_LIVE", 3)
    token = token_of(anna)
    body = {"name": "one of many", "scopes": ["read"]}
    assert at_once(lambda _: asker(token)("POST", "/tokens", body)) == [201, 201, *[409] * 4]
    assert ApiToken.objects.count() == 3


def test_a_token_that_is_being_revoked_leaves_none_behind(anna: User) -> None:
    row, token = ApiToken.issue(anna, name="maker", scopes=["read", "write"])
    other = token_of(anna)

    def ask(number: int) -> Any:
        if number:
            body = {"name": "made", "scopes": ["read"]}
            return asker(token)("POST", "/tokens", body)
        return asker(other)("POST", f"/tokens/{row.pk}/revoke")

    assert set(at_once(ask)) <= {200, 201, 401, 422}
    assert not ApiToken.objects.filter(made_by=row, revoked_at=None).exists()
