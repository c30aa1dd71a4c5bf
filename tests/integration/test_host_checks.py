"""What a host project must have, said at start."""

from __future__ import annotations

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


def test_sqlite_that_will_lock_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(database, "OPTIONS", {})
    assert "IMMEDIATE" in said()["notifier.W001"]
