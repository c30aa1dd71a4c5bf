"""The command `notifier`: where something can't be had it says so, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.process import free_port

HERE = Path(__file__).resolve().parent.parent.parent
SECRETS = {
    "SECRET_KEY": "a1b2c" * 12,
    "NOTIFIER_FINGERPRINT_KEY": "d3e4f" * 12,
    "NOTIFIER_ENCRYPTION_KEYS": "e5f6g7h8" * 5 + "abc=",
}
NOTIFIER = [sys.executable, "-c", "from notifier.cli import main; main()"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment that holds only this."""
    return subprocess.run(
        [*NOTIFIER, *arguments],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_says(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("notifier: ")
    for each in words:
        assert each in ended.stderr


def test_without_a_project_it_asks_for_one(tmp_path: Path) -> None:
    # -I: the checkout must not be found by the way the test runs
    ended = subprocess.run(
        [sys.executable, "-I", "-c", HIDE_CONFIG, "migrate"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert_says(ended, "which Django project? Set DJANGO_SETTINGS_MODULE to its settings module")


# as for who installed the wheel: it holds no `config`
HIDE_CONFIG = f"""
import importlib.util, sys
sys.path.insert(0, {str(HERE)!r})
from notifier import cli
find = importlib.util.find_spec
cli.find_spec = lambda name: None if name == "config" else find(name)
cli.main()
"""


def test_missing_settings_are_a_sentence() -> None:
    assert_says(run("check"), "SECRET_KEY must be at least 32 random characters")


@pytest.mark.parametrize("command", ["migrate", "addsource"])
def test_a_postgresql_that_does_not_answer_is_a_sentence(command: str) -> None:
    port = free_port()
    url = f"postgres://notifier:S3CR3T@127.0.0.1:{port}/notifier"
    arguments = ["shop"] if command == "addsource" else []
    ended = run(command, *arguments, **SECRETS, DATABASE_URL=url)
    assert_says(ended, "the database does not answer", str(port), "see DATABASE_URL")
    assert "S3CR3T" not in ended.stderr


def test_a_sqlite_file_that_can_not_be_is_a_sentence(tmp_path: Path) -> None:
    ended = run("migrate", **SECRETS, DATABASE_URL=f"sqlite:///{tmp_path}/no/such/directory/db")
    assert_says(ended, "the database does not answer", "see DATABASE_URL")


def test_it_works_from_the_first_command_on(tmp_path: Path) -> None:
    environment = {
        **SECRETS,
        "DATABASE_URL": f"sqlite:///{tmp_path}/db",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    assert run("migrate", "--verbosity", "0", **environment).returncode == 0
    added = run("addsource", "shop", **environment)
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("nts_")
    sent = run("send", "Order shipped", "--source", "shop", **environment)
    assert sent.returncode == 0, sent.stderr


def test_a_deployment_by_the_book_has_nothing_to_complain_of(tmp_path: Path) -> None:
    ended = run(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        **SECRETS,
        DATABASE_URL=f"sqlite:///{tmp_path}/db",
        NOTIFIER_ALLOWED_HOSTS="notifier.example",
    )
    assert ended.returncode == 0, ended.stderr
    assert "no issues" in ended.stdout


def test_no_model_lacks_its_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    ended = run("makemigrations", "--check", "--dry-run", **SECRETS, DATABASE_URL=url)
    assert ended.returncode == 0, ended.stdout


def test_missing_tables_are_a_sentence(tmp_path: Path) -> None:
    ended = run("addsource", "shop", **SECRETS, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert_says(ended, "the database lacks tables; run `notifier migrate`")


def test_settings_that_are_nowhere_are_a_sentence() -> None:
    ended = run("check", **SECRETS, DJANGO_SETTINGS_MODULE="nonsense.settings")
    assert_says(ended, "there is no module nonsense.settings; see DJANGO_SETTINGS_MODULE")


def test_another_app_may_be_migrated_first_and_this_one_back(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/new.sqlite3"
    for arguments in (["migrate", "auth"], ["migrate"], ["migrate", "notifier", "zero"]):
        ended = run(*arguments, **SECRETS, DATABASE_URL=database)
        assert ended.returncode == 0, ended.stderr
