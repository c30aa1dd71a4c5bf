"""`notifier purge`."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from notifier.models import Event
from tests.integration.conftest import AddOld


def run(*arguments: str) -> str:
    """Run the command; return what it printed."""
    out = StringIO()
    call_command("purge", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_goes_by_the_settings_and_says_what_it_did(add_old: AddOld) -> None:
    for days in (100, 100, 1):
        add_old(days)
    said = "2 events, 2 deliveries, 2 attempts and 0 refused events {}.\n"
    assert run("--dry-run") == said.format("would be deleted")
    assert Event.objects.count() == 3
    assert run() == said.format("deleted")
    assert run() == "0 events, 0 deliveries, 0 attempts and 0 refused events deleted.\n"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--older-than", "10"], 1),
        (["--older-than", "0.5"], 2),
        (["--older-than", "10", "--failed-older-than", "15"], 2),
    ],
)
def test_the_command_is_told_ages(add_old: AddOld, arguments: list[str], count: int) -> None:
    add_old(20, "failed")
    add_old(20)
    add_old(1)
    assert run(*arguments).startswith(f"{count} events")


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "a year"])
def test_what_is_no_number_of_days_is_refused(db: None, days: str) -> None:
    with pytest.raises(CommandError, match="write a number of days, such as 90"):
        run("--older-than", days)
