"""What `startmedium` writes works where it is installed: a fresh environment, without this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from django.core.management import call_command

from notifier.testing.scripted_http import answer, scripted_http
from tests.acceptance.stack import BIN, ROOT

PARTS = ("notifier", "worker", "pyproject.toml", "README.md", "LICENSE")
"""What the distribution is built from."""
SLUG = "acme-chat"
HOST = """
import sys, django
from django.conf import settings
_, slug, url, port = sys.argv
settings.MEDIA_PLUGINS = [slug]
settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["127.0.0.0/8"]
settings.NOTIFIER_HTTP_ALLOWED_PORTS = [int(port)]
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from notifier import conf, notify
from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.models import DestinationConfig, Source

call_command("check")
call_command("migrate", verbosity=0)
anna = User.objects.create_user("anna")
Source.objects.create(name="local")
destination = DestinationConfig(user=anna, media_id=slug, settings={"url": url})
destination.full_clean(exclude=["fingerprint"])
destination.save()
anna.notification_profiles.get().destinations.add(destination)
notify("The disk of db1 is full", recipients=["anna"])
dispatch()
print(deliver(slug, worker="test"), conf.__file__)
"""
"""A host's program: posts, matches and sends, as the workers do."""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated package's directory."""
    directory = tmp_path_factory.mktemp("plugin") / "plugin"
    call_command("startmedium", SLUG, directory=directory, stdout=sys.stderr)
    return directory


@pytest.fixture(scope="module")
def python(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with Notifier and the plugin, both installed from wheels."""
    home = tmp_path_factory.mktemp("environment")
    source = home / "notifier-worker"
    source.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)  # building leaves files behind
    venv.create(home / "venv", with_pip=False)
    python = home / "venv/bin/python"
    # What they depend on comes from here: no network. Of this directory's own .pth files, the one
    # that leads to the checkout included, nothing is read.
    [packages] = (home / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    run(home, *pip, "--no-index", "--no-deps", "--no-build-isolation", str(source), str(plugin))
    return python


def run(directory: Path, *argv: str) -> str:
    """Run a program in an environment that knows nothing of this checkout; return what it printed."""
    ended = subprocess.run(
        argv,
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "DJANGO_SETTINGS_MODULE": "notifier.testing.settings",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_it_sends_what_is_posted(python: Path, tmp_path: Path) -> None:
    with scripted_http({"/hook": (answer(200),)}) as site:
        url = site.url("/hook")
        printed = run(tmp_path, str(python), "-c", HOST, SLUG, url, str(site.port))
    [request] = site.requests
    assert request.body == b'{"text": "The disk of db1 is full", "level": 5}'
    assert "'sent': 1" in printed
    assert str(python.parents[1]) in printed  # not this checkout's code


def test_its_own_tests_pass(python: Path, plugin: Path) -> None:
    printed = run(plugin, str(python), "-m", "pytest", "-q", "-p", "no:celery")
    assert " passed" in printed


def test_its_code_is_clean_and_typed(python: Path, plugin: Path) -> None:
    run(plugin, str(BIN / "ruff"), "check", ".")
    run(plugin, str(BIN / "ruff"), "format", "--check", ".")
    printed = run(plugin, str(python), "-m", "mypy")
    assert "Success: no issues found in 3 source files" in printed
