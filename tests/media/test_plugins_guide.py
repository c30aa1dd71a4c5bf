"""What docs/plugins.md shows is what works."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from notifier.errors import Reason
from notifier.media.base import NotificationMedium

GUIDE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def module(name: str, code: str) -> Any:
    """Make a module of a piece of code."""
    made = ModuleType(name)
    exec(compile(code, f"docs/plugins.md, {name}", "exec"), made.__dict__)
    return made


MEDIUM, TEST = blocks("python")
sys.modules["notifier_ntfy"] = ModuleType("notifier_ntfy")
sys.modules["notifier_ntfy.medium"] = module("notifier_ntfy.medium", MEDIUM)
TestNtfy = module("test_conformance", TEST).TestNtfy


def test_the_entry_point_of_the_guide_leads_to_its_medium() -> None:
    [declared] = blocks("toml")
    entries = tomllib.loads(declared)["project"]["entry-points"]["notifier.media"]
    [(slug, value)] = entries.items()
    medium = EntryPoint(slug, value, "notifier.media").load()
    assert slug == medium.MEDIA_SLUG
    assert f"MEDIA_PLUGINS=email,{slug} " in GUIDE


def test_the_medium_of_the_guide_is_as_short_as_it_says() -> None:
    assert len([line for line in MEDIUM.splitlines() if line.strip()]) <= 33


@pytest.mark.parametrize("name", [name for name in vars(NotificationMedium) if name.isupper()])
def test_the_guide_knows_all_that_a_medium_can_say_of_itself(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_guide_has_every_reason_that_a_medium_can_give() -> None:
    ours = {Reason.BUG, Reason.CRASHED}
    of_sending = {each for each in Reason if each.breaker.name != "SILENT"}
    for reason in of_sending - ours:
        assert f"`{reason.name}`" in GUIDE
