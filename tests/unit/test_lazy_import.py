"""What importing costs a producer."""

from __future__ import annotations

import subprocess
import sys

import pytest

import notifier

HEAVY = ("celery", "django", "ninja", "pydantic", "re2")
STATEMENTS = [
    "import notifier",
    "from notifier.errors import InvalidEvent",
    "from notifier.client import Notifier; Notifier('redis://localhost', source='shop')",
]


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after a statement."""
    shown = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_producer_needs_nothing_but_kombu(statement: str) -> None:
    missing = "; ".join(f"sys.modules[{name!r}] = None" for name in HEAVY)
    assert "notifier" in loaded_by(f"import sys; {missing}\n{statement}")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_where_all_is_installed_it_is_not_loaded_for_a_producer(statement: str) -> None:
    # kombu itself looks into Django for lazy texts; that loads no settings, models or apps
    loaded = {name for name in loaded_by(statement) if not name.startswith("django.utils")}
    assert not loaded & {"celery", "django.apps", "django.conf", "django.db", "ninja", "pydantic"}


def test_importing_the_package_alone_loads_no_kombu() -> None:
    assert "kombu" not in loaded_by("import notifier")


def test_notify_is_there_when_it_is_asked_for() -> None:
    from notifier.intake import notifying  # noqa: PLC0415 - what is tested

    assert notifier.notify is notifying.notify
    assert notifier.notify_many is notifying.notify_many
    assert notifier.__all__ == ["notify", "notify_many"]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match=r"^module 'notifier' has no attribute 'nothing'$"):
        _ = notifier.nothing
