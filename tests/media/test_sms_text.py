"""What an SMS says: level, source and link whole, and as much of the description as there is room for."""
# ruff: noqa: RUF001 - what is meant to be taken for another character

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier import conf
from notifier.media.gsm import parts
from notifier.media.sms_as_email import SMSNotification
from notifier.models import Event, Incident, Source

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LINK = "https://example.org/incident/4711"


def says(description: str, *, source: str = "shop", link: str = LINK, kind: str = "STA") -> str:
    """Return the SMS of an event."""
    event = Event(
        type=kind, level=1, description=description, details_url=link, timestamp=NOW, open=True
    )
    event.source = Source(name=source)
    event.incident = None if kind == "LES" else Incident(incident_key="db1", start_time=NOW)
    return SMSNotification().render(event)


def test_a_short_event_is_told_whole() -> None:
    assert says("Disk full") == f"START Disk full [shop, level 1] {LINK}"
    assert says("Disk full", kind="LES", link="") == "Disk full [shop, level 1]"


def test_a_long_description_is_cut_and_the_rest_is_whole() -> None:
    said = says("Disk full " * 100)
    assert parts(said) == 2
    assert said.startswith("START Disk full Disk full")
    assert said.endswith(f"... [shop, level 1] {LINK}")
    assert 300 < len(said) <= 306


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_a_site_decides_how_many_parts_it_pays_for(most: int, settings: Settings) -> None:
    settings.NOTIFIER_SMS_PARTS = most
    assert parts(says("Disk full " * 1000)) == most


@pytest.mark.parametrize("wrong", [0, 256, 1.5, "2", True])
def test_a_number_of_parts_that_can_not_be_is_refused(wrong: object) -> None:
    assert not conf.SMS_PARTS.valid(wrong)  # type: ignore[arg-type]


def test_a_quote_takes_no_room_and_lines_become_one() -> None:
    said = says("Anna’s\r\n\tdisk \u202e– “full”\x1b", link="")
    assert said == 'START Anna\'s disk - "full" [shop, level 1]'


def test_a_link_that_leaves_no_room_is_left_out_whole() -> None:
    said = says("Disk full " * 100, link="https://example.org/" + "x" * 280)
    assert said.endswith("... [shop, level 1]")
    assert "https" not in said
    assert says("Disk full", link="https://example.org/" + "x" * 240).endswith("x" * 240)


def test_a_long_name_of_a_source_is_cut() -> None:
    assert f"[{'s' * 39}..., level 1] {LINK}" in says("Disk full " * 100, source="s" * 250)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    description=st.text(max_size=500) | st.text("a🔥’ ", max_size=500),
    link=st.text("abcxyz", max_size=150).map("https://example.org/{}".format),
    most=st.integers(2, 4),
)
def test_level_source_and_link_are_always_there(
    description: str, link: str, most: int, settings: Settings
) -> None:
    settings.NOTIFIER_SMS_PARTS = most
    said = says(description, link=link)
    assert parts(said) <= most
    assert "[shop, level 1]" in said
    if len(link) <= 60:
        assert said.endswith(f"[shop, level 1] {link}")


@pytest.mark.parametrize(
    "template", ["{{ event.description }}" + "x" * 400, "{{ event.description }}"]
)
def test_whatever_a_sites_own_template_says_fits(
    template: str, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "notifier" / "sms"
    folder.mkdir(parents=True)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    (folder / "body.txt").write_text(template)
    assert parts(says("Disk full " * 100)) == 2
