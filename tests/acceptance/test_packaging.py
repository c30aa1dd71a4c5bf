"""The distribution where it is installed without its extras: a fresh environment, no Django."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.acceptance.stack import ROOT

PARTS = ("notifier", "worker", "pyproject.toml", "README.md", "LICENSE")
"""What the distribution is built from."""


def needed(name: str, *extras: str) -> set[str]:
    """Return the names of all that a distribution needs with some of its extras."""
    found: set[str] = set()
    for text in distribution(name).requires or ():
        each = Requirement(text)
        if each.marker and not any(each.marker.evaluate({"extra": e}) for e in ("", *extras)):
            continue
        found |= {each.name} | needed(each.name, *each.extras)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what a producer needs, and nothing else."""
    home = tmp_path_factory.mktemp("bare")
    source = home / "source"
    source.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)  # building leaves files behind
    venv.create(home / "venv", with_pip=False)
    [packages] = (home / "venv").glob("lib/python*/site-packages")
    builds = packages / "builds.pth"
    builds.write_text(sysconfig.get_path("purelib"))  # setuptools comes from here: no network
    pip = [sys.executable, "-m", "pip", "--python", str(home / "venv/bin/python"), "install"]
    subprocess.run(
        [*pip, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(source)],
        check=True,
        timeout=120,
    )
    builds.unlink()
    # so does what it depends on, link by link
    for name in needed("notifier-worker"):
        for top in {file.parts[0] for file in distribution(name).files or ()} - {
            "..",
            "__pycache__",
        }:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(sysconfig.get_path("purelib"), top))
    return home


def run(home: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program away from this checkout."""
    python = str(home / "venv/bin/python")
    return subprocess.run(
        [python, "-c", program],
        cwd=home,
        env={"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_client_needs_nothing_else(home: Path) -> None:
    ended = run(
        home,
        "import notifier, notifier.client, notifier.client.over_http, notifier.client.over_redis\n"
        "notifier.client.Notifier('redis://127.0.0.1:1/0', source='shop')\n"
        "print(notifier.__file__)",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(str(home))


def test_the_outbox_says_what_to_install(home: Path) -> None:
    ended = run(home, "import notifier.outbox")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "ImportError: notifier.outbox needs Django: pip install 'notifier-worker[outbox]'"
    )


def test_the_outbox_is_whole(home: Path) -> None:
    [packages] = (home / "venv").glob("lib/python*/site-packages")
    for part in ("migrations/0001_initial.py", "management/commands/relayoutbox.py", "admin.py"):
        assert (packages / "notifier/outbox" / part).is_file()
