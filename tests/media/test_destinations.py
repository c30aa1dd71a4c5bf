"""Destinations in memory, asked as a QuerySet is in Argus."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import FieldError

from notifier.media.destinations import Destination, Destinations, Medium


def destination(pk: int, slug: str = "room", **settings: Any) -> Destination:
    return Destination(
        message_key=f"key {pk}",
        pk=pk,
        media=Medium(slug, slug.capitalize()),
        settings=settings,
        label=f"number {pk}",
        username="anna",
    )


ROOM, PAGER, OTHER = destination(1, webhook="x"), destination(2, "pager"), destination(3)
ALL = Destinations([ROOM, PAGER, OTHER])


@pytest.mark.parametrize(
    ("lookups", "found"),
    [
        ({"media__slug": "room"}, [1, 3]),
        ({"media_id": "pager"}, [2]),
        ({"media_id": "email"}, []),
        ({"media_id": "room", "settings__webhook": "x"}, [1]),
        ({"settings__webhook__exact": "x"}, [1]),
        ({"pk__in": [2, 3]}, [2, 3]),
        ({"id": 2}, [2]),
        ({"user__username": "anna"}, [1, 2, 3]),
        ({"user__username__in": ["bob"]}, []),
        ({}, [1, 2, 3]),
    ],
)
def test_filter_and_exclude_share_them_out(lookups: dict[str, Any], found: list[int]) -> None:
    assert [each.pk for each in ALL.filter(**lookups)] == found
    assert [each.pk for each in ALL.exclude(**lookups)] == [n for n in (1, 2, 3) if n not in found]


def test_it_counts_as_a_queryset_does() -> None:
    none = ALL.filter(media_id="email")
    assert (ALL.count(), len(ALL), ALL.exists(), bool(ALL)) == (3, 3, True, True)
    assert (none.count(), len(none), none.exists(), bool(none)) == (0, 0, False, False)
    assert (ALL.first(), none.first(), ALL[1]) == (ROOM, None, PAGER)
    assert list(ALL.all()) == list(ALL) == [ROOM, PAGER, OTHER]


def test_a_lookup_of_no_such_name_is_told_with_those_there_are() -> None:
    with pytest.raises(
        FieldError, match="nonsense__slug: destinations can be filtered by pk, media_id"
    ):
        ALL.filter(nonsense__slug="room")


def test_a_destination_has_its_owner_and_medium_as_in_argus() -> None:
    assert (ROOM.user.username, ROOM.media_id, ROOM.media.slug, ROOM.media.name, ROOM.id) == (
        "anna",
        "room",
        "room",
        "Room",
        1,
    )
