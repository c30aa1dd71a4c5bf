"""Pages: together they are the list, whatever comes meanwhile; a cursor is good for its own list only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.models import ApiToken
from tests.api.conftest import Ask, asker, problem, token_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@settings(
    deadline=None,
    max_examples=20,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 6),
    meanwhile=st.lists(st.sampled_from(["insert", "delete"]), max_size=4),
)
def test_pages_together_are_the_list(
    anna: User, count: int, limit: int, meanwhile: list[str]
) -> None:
    ApiToken.objects.all().delete()
    ask = asker(token_of(anna))
    for _ in range(count):
        token_of(anna)
    there = list(ApiToken.objects.order_by("pk").values_list("pk", flat=True))
    seen: list[int] = []
    deleted: set[int] = set()
    path = f"/tokens?limit={limit}"
    while True:
        page = ask("GET", path).json()
        assert len(page["items"]) <= limit
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        path = f"/tokens?limit={limit}&cursor={page['next']}"
        if meanwhile:
            if meanwhile.pop() == "insert":
                token_of(anna)
            else:
                deleted.add(there[-1])
                ApiToken.objects.filter(pk=there[-1]).delete()
    assert seen == sorted(set(seen))
    assert set(there) - deleted <= set(seen)


@pytest.fixture
def cursor(ask: Ask, anna: User) -> str:
    """What a first page of one of Anna's tokens names."""
    token_of(anna)
    found: str = ask("GET", "/tokens?limit=1").json()["next"]
    return found


def test_a_cursor_that_was_changed_is_refused(ask: Ask, cursor: str) -> None:
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert problem(ask("GET", f"/tokens?cursor={changed}"), 422)["errors"].keys() == {"cursor"}


def test_a_cursor_is_no_other_persons(ben: User, cursor: str) -> None:
    answer = asker(token_of(ben))("GET", f"/tokens?cursor={cursor}")
    assert problem(answer, 422)["errors"].keys() == {"cursor"}


def test_a_cursor_goes_with_any_limit(ask: Ask, cursor: str) -> None:
    assert ask("GET", f"/tokens?limit=7&cursor={cursor}").status_code == 200
