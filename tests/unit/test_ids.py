"""Ids: the same on every side."""

from __future__ import annotations

import time
import uuid

from hypothesis import given
from hypothesis import strategies as st

from notifier.ids import event_id_for, message_event_id, new_event_id

names = st.text("abcXYZ0189 ._-/@", min_size=1)
own_ids = st.text(min_size=1)


def test_the_ids_of_named_events_never_change() -> None:
    assert str(event_id_for("shop", "4711")) == "b6b57f56-c010-5a5d-a5f3-74e34f487e65"
    assert str(message_event_id("abc")) == "0e56172b-c45d-5127-881d-2e26b5e20d27"
    assert str(message_event_id("abc", 1)) == "896bbe41-58de-56b2-ba26-92abf2a88f96"


@given(names, own_ids, names, own_ids)
def test_two_named_events_share_an_id_only_where_both_names_agree(
    source: str, own: str, other_source: str, other_own: str
) -> None:
    same = event_id_for(source, own) == event_id_for(other_source, other_own)
    assert same == ((source, own) == (other_source, other_own))


def test_a_colon_in_the_sources_own_id_confuses_nothing() -> None:
    assert event_id_for("shop", "a:b") != event_id_for("shop-a", "b")


def test_an_event_without_a_name_takes_the_fallback_or_a_new_id() -> None:
    fallback = uuid.uuid4()
    assert event_id_for("shop", None, fallback) == fallback
    assert event_id_for("shop", "1", fallback) != fallback
    assert event_id_for("shop", None) != event_id_for("shop", None)


def test_a_new_id_is_a_version_7_that_sorts_by_its_time() -> None:
    before = time.time_ns() // 1_000_000
    found = new_event_id()
    after = time.time_ns() // 1_000_000
    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert before <= found.int >> 80 <= after


def test_the_first_event_of_a_message_has_the_messages_own_id() -> None:
    own = uuid.uuid4()
    assert message_event_id(str(own)) == own
    assert len({message_event_id(str(own), index) for index in range(10)}) == 10


@given(st.text(), st.integers(0, 1000))
def test_a_message_that_comes_twice_names_the_same_events_twice(name: str, index: int) -> None:
    assert message_event_id(name, index) == message_event_id(name, index)
