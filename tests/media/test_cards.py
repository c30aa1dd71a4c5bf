"""What a card shows beside its texts."""

from __future__ import annotations

from django.utils import timezone, translation

from notifier.media.cards import facts
from tests.media.posted import an_event


def test_times_are_as_their_reader_writes_them() -> None:
    event = an_event(stateful=True, tags=[])
    assert facts(event)[0] == ("Time", "Nov. 23, 2026 12:30:00 UTC")
    with translation.override("nb"), timezone.override("Europe/Oslo"):
        assert facts(event) == [
            ("Tid", "23. november 2026 13:30:00 CET"),
            ("Hendelse", "core-1:ge-0/0/1, siden 23. november 2026 13:30:00 CET"),
        ]


def test_no_fact_has_controls_or_space_around() -> None:
    assert facts(an_event(actor=" an\u200ena\x1b\n"))[1] == ("By", "anna")
