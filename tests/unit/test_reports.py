"""What a report amounts to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.intake.reports import GRACE, Report, settle
from notifier.intake.schema import EventIn
from notifier.intake.threads import Thread

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def firing(start: int = 0, description: str = "full", level: int = 2) -> Report:
    """An alert that fires since so many minutes, as Alertmanager reports it."""
    return report("STA", start, f"firing {start}", description, level)


def resolved(end: int = 1, description: str = "full", level: int = 2) -> Report:
    return report("END", end, f"resolved {end}", description, level)


def report(kind: str, minute: int, name: str, description: str, level: int) -> Report:
    event = EventIn(
        type=kind,
        incident_key="disk",
        description=description,
        level=level,
        timestamp=NOW + minute * MINUTE,
        source_event_id=name,
    )
    return Report(event, recurs=True)


@dataclass
class Story:
    """An incident, told report by report."""

    thread: Thread = field(default_factory=Thread)
    seen: set[str | None] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def hear(self, report: Report, minute: float = 0) -> EventIn | None:
        now = NOW + minute * MINUTE
        event = settle(report, self.thread, seen=report.event.source_event_id in self.seen, now=now)
        if event:
            self.thread.hear(event, now)
            self.seen.add(event.source_event_id)
            self.told.append(event.type)
        return event


def test_a_repeat_is_told_once() -> None:
    story = Story()
    for _ in range(3):
        story.hear(firing())
    for _ in range(3):
        story.hear(resolved())
    assert story.told == ["STA", "END"]


def test_another_text_or_level_is_a_change_and_the_same_again_is_none() -> None:
    story = Story()
    story.hear(firing())
    for each in (firing(description="fuller"), firing(description="fuller"), firing(level=1)):
        story.hear(each)
    assert story.told == ["STA", "CHI", "CHI"]


def test_a_change_happens_now_and_takes_no_name() -> None:
    story = Story()
    story.hear(firing())
    changed = story.hear(firing(level=1))
    assert changed
    assert (changed.source_event_id, changed.timestamp) == (None, None)


def test_an_end_of_what_is_unknown_is_none() -> None:
    story = Story()
    story.hear(resolved())
    assert story.told == []


def test_what_fires_anew_after_its_end_reopens() -> None:
    story = Story()
    for each in (firing(0), resolved(1), firing(2), resolved(3)):
        story.hear(each)
    assert story.told == ["STA", "END", "RES", "END"]


def test_the_same_start_right_after_the_end_is_a_straggler() -> None:
    story = Story()
    story.hear(firing())
    story.hear(resolved(), minute=5)
    assert story.hear(firing(), minute=6) is None


def test_the_same_start_long_after_the_end_reopens_under_a_new_name_and_now() -> None:
    story = Story()
    story.hear(firing())
    story.hear(resolved(1), minute=5)
    again = story.hear(firing(), minute=5 + GRACE / MINUTE + 0.1)
    assert again
    assert (again.type, again.source_event_id, again.timestamp) == ("RES", None, None)
    assert story.hear(resolved(1), minute=8) is None  # the second sender's, of the first time
    assert story.hear(resolved(9), minute=9)
    assert story.told == ["STA", "END", "RES", "END"]


def test_a_start_nobody_heard_of_reopens_however_soon_and_old() -> None:
    story = Story()
    story.hear(firing(0))
    story.hear(resolved(5), minute=5)
    again = story.hear(firing(4), minute=5.1)
    assert again
    assert (again.type, again.timestamp) == ("RES", None)


def test_the_end_of_an_earlier_time_does_not_end_a_later_one() -> None:
    story = Story()
    for each in (firing(0), resolved(1), firing(5)):
        story.hear(each)
    assert story.hear(resolved(2)) is None
    assert story.hear(resolved(6))


def bare(kind: str) -> Report:
    event = EventIn(type=kind, incident_key="disk", description="?", level=5)
    return Report(event, bare=True)


def test_an_acknowledgement_of_what_is_unknown_over_or_acknowledged_is_none() -> None:
    story = Story()
    assert story.hear(bare("ACK")) is None
    story.hear(firing())
    assert story.hear(bare("ACK"))
    assert story.hear(bare("ACK")) is None
    story.hear(resolved())
    assert story.hear(bare("ACK")) is None
    assert story.told == ["STA", "ACK", "END"]


def test_a_start_after_an_acknowledgement_alone_is_told_as_one() -> None:
    story = Story(Thread(known=True, open=True, acked=True, level=2, description="full"))
    story.hear(firing())
    assert story.told == ["STA"]


def test_what_says_nothing_has_the_words_of_its_incident() -> None:
    story = Story()
    start = firing().event.model_copy(update={"tags": ["host=db1"]})
    story.hear(Report(start))
    end = story.hear(bare("END"))
    assert end
    assert (end.description, end.level, end.tags) == ("full", 2, ["host=db1"])


def test_a_message_that_was_stored_is_a_repeat_whatever_happened_since() -> None:
    story = Story()
    start = Report(firing().event)
    story.hear(start)
    story.hear(resolved())
    assert story.hear(start, minute=60) is None


@pytest.mark.parametrize("known", [False, True])
def test_a_change_that_comes_first_is_a_start(known: bool) -> None:
    change = Report(EventIn(type="CHI", incident_key="disk", description="full"))
    event = settle(change, Thread(known=known, open=known), seen=False, now=NOW)
    assert event
    assert event.type == "STA"


REPORTS = st.one_of(
    st.builds(firing, st.integers(0, 3), st.sampled_from(["full", "fuller"]), st.integers(1, 2)),
    st.builds(resolved, st.integers(1, 4)),
    st.sampled_from([bare("ACK"), bare("END")]),
)
HEARD = st.lists(st.tuples(REPORTS, st.floats(0, 10)), max_size=20)


@settings(deadline=None)
@given(HEARD)
def test_starts_and_ends_alternate_and_an_acknowledgement_lies_between(
    heard: list[tuple[Report, float]],
) -> None:
    story, minute = Story(), 0.0
    for each, later in heard:
        minute += later
        story.hear(each, minute)
    is_open = False
    for kind in story.told:
        assert is_open == (kind in {"CHI", "ACK", "END"})
        is_open = kind != "END"
    assert story.told.count("STA") <= 1


@settings(deadline=None)
@given(HEARD)
def test_a_report_said_twice_is_told_once(heard: list[tuple[Report, float]]) -> None:
    story, minute = Story(), 0.0
    for each, later in heard:
        minute += later
        story.hear(each, minute)
        assert story.hear(each, minute) is None


@settings(deadline=None)
@given(st.permutations([firing(), firing(), firing(), resolved(), resolved(), resolved()]))
def test_copies_in_any_order_are_told_once(heard: list[Report]) -> None:
    story = Story()
    for each in heard:
        story.hear(each)
    assert story.told in (["STA"], ["STA", "END"])
