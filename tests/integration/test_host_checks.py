"""What a host project must have, said at start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.checks import run_checks

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


def said() -> dict[str, str]:
    """Return what Notifier's checks say, by id."""
    return {str(each.id): str(each.msg) for each in run_checks(tags=["notifier"])}


def test_these_settings_are_right() -> None:
    assert said() == {}


def test_a_host_without_time_zones_is_refused(settings: Settings) -> None:
    settings.USE_TZ = False
    assert "USE_TZ must be True" in said()["notifier.E006"]


def test_a_host_whose_templates_hide_ours_is_refused(settings: Settings) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False}]
    assert "APP_DIRS = True" in said()["notifier.E007"]


@pytest.mark.parametrize("text", [b"{% if %}", b"\xff", None])
def test_a_sites_broken_template_stops_no_process(
    settings: Settings, tmp_path: Path, text: bytes | None
) -> None:
    body = tmp_path / "notifier" / "email" / "body.txt"
    if text is None:
        body.mkdir(parents=True)
    else:
        body.parent.mkdir(parents=True)
        body.write_bytes(text)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert said() == {}


def test_a_sites_own_templates_do_not_stand_for_ours(settings: Settings, tmp_path: Path) -> None:
    body = tmp_path / "notifier" / "email" / "body.txt"
    body.parent.mkdir(parents=True)
    body.write_text("mine")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path], "APP_DIRS": False}]
    assert "APP_DIRS = True" in said()["notifier.E007"]


def test_sqlite_that_will_lock_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(database, "OPTIONS", {})
    assert "IMMEDIATE" in said()["notifier.W001"]
