"""The package of a new medium: what is written, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

HERE = Path(__file__).resolve().parents[2]
FILES = {
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "src/notifier_acme_chat/__init__.py",
    "src/notifier_acme_chat/medium.py",
    "src/notifier_acme_chat/py.typed",
    "tests/test_conformance.py",
}


def test_a_package_is_written_whole_and_named_alike_everywhere(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "plugin"
    call_command("startmedium", "acme-chat", directory=directory)
    written = {str(each.relative_to(directory)) for each in directory.rglob("*") if each.is_file()}
    assert written == FILES
    project = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    assert project["name"] == "notifier-acme-chat"
    assert project["entry-points"]["notifier.media"] == {
        "acme-chat": "notifier_acme_chat.medium:AcmeChatNotification"
    }
    code = (directory / "src/notifier_acme_chat/medium.py").read_text()
    assert 'MEDIA_SLUG = "acme-chat"' in code
    assert 'MEDIA_NAME = "Acme chat"' in code
    assert "class AcmeChatNotification(" in code


@pytest.mark.parametrize(
    "name", ["", "Pager", "9", "a_b", "a-", "a--b", "a b", "../a", "a.b", "å", "a" * 41]
)
def test_a_name_that_can_be_no_slug_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^name: .* must be lower-case letters and digits"):
        call_command("startmedium", name, directory=tmp_path / "plugin")
    assert not [*tmp_path.iterdir()]


def test_the_name_of_a_medium_there_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^name: there is a medium 'email' already"):
        call_command("startmedium", "email", directory=tmp_path / "plugin")


@pytest.mark.parametrize("made", [Path.mkdir, Path.touch])
def test_what_exists_is_left_alone(tmp_path: Path, made: object) -> None:
    directory = tmp_path / "plugin"
    made(directory)  # type: ignore[operator]
    with pytest.raises(CommandError, match=r"^--directory: .* exists; give another one\."):
        call_command("startmedium", "pager", directory=directory)
    assert directory.is_file() or not [*directory.iterdir()]


def test_a_directory_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"^--directory: .* can't be written \("):
        call_command("startmedium", "pager", directory=tmp_path / "file" / "plugin")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("pager", 0, "Wrote notifier-pager;"), ("P", 1, "CommandError: name")],
)
def test_it_needs_no_django_project(tmp_path: Path, name: str, code: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from notifier.cli import main; main()", "startmedium", name],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == code, ended.stderr
    assert said in ended.stdout + ended.stderr
    assert (tmp_path / f"notifier-{name}" / "pyproject.toml").exists() is (code == 0)
