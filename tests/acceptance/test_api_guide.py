"""What docs/api.md shows is what works: each of its commands, one after another, against a server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db.models.functions import Now

from notifier.api.v1 import api
from notifier.delivering.dispatching import dispatch
from notifier.intake.ingesting import ingest
from notifier.intake.notifying import notify
from notifier.models import ApiToken, Delivery, NotificationProfile, Source
from tests.acceptance.stack import BIN, ROOT, Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User

GUIDE = (ROOT / "docs" / "api.md").read_text("utf-8")
EXAMPLE = re.compile(r"(?:<!-- (.*?) -->\n)?```sh\n(.*?)```", re.DOTALL)
"""A command, and before it, unseen by readers, which variables are what in the answer."""

PICK = (
    "import functools, json, sys; "
    "print(functools.reduce(lambda found, name: "
    "found[int(name) if isinstance(found, list) else name], "
    "sys.argv[1].split('.'), json.load(sys.stdin)))"
)


def script_of(guide: str, answers: Path) -> str:
    """Return all commands as one script, which keeps each answer in a file of its own."""
    lines = ["set -euo pipefail"]
    for number, (noted, command) in enumerate(EXAMPLE.findall(guide)):
        if noted == "setup":
            lines.append(command.replace("https://notifier.example.org", "$SERVER"))
            continue
        answer = answers / f"{number:02}.json"
        lines.append(f"{{ {command}}} > {answer} || {{ cat {answer} >&2; exit 1; }}")
        for each in noted.split(", ") if noted else ():
            variable, path = each.split(" = ")
            lines.append(f'{variable}=$("$PYTHON" -c "$PICK" {path} < {answer})')
    return "\n".join(lines)


@pytest.fixture
def happenings(transactional_db: None, django_user_model: type[User]) -> None:
    """What the guide looks at: an incident, a delivery that failed, an event that was refused."""
    django_user_model.objects.create_superuser("anna", email="anna@example.org")
    Source.objects.create(name="nms")
    notify(
        "Link to core-2 is down",
        source="nms",
        level=2,
        tags=["site=oslo"],
        incident_key="core-1",
        recipients=["anna"],
    )
    dispatch()
    failed = {"state": "failed", "reason": "rejected", "finished_at": Now()}
    assert Delivery.objects.update(**failed) == 1
    ingest({"description": "Disk full", "source": "unknown"}, "a message")


def test_every_command_of_the_guide_works(stack: Stack, happenings: None, tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.mkdir()
    ended = subprocess.run(
        ["bash", "-c", script_of(GUIDE, answers)],
        env={
            **os.environ,
            **stack.env,
            "SERVER": stack.web(),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "PICK": PICK,
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}\n{stack.logs()}"
    found = sorted(answers.iterdir())
    assert len(found) == len(EXAMPLE.findall(GUIDE)) - 1
    for each in found:
        assert each.stat().st_size == 0 or json.loads(each.read_text("utf-8")), each
    assert not NotificationProfile.objects.filter(name="On call").exists()
    assert ApiToken.objects.get(name="laptop").revoked_at
    assert Delivery.objects.filter(kind="notification").latest("pk").state == "pending"


def test_no_subject_of_the_api_is_left_out_of_the_guide() -> None:
    paths = api.get_openapi_schema(path_prefix="/")["paths"]
    subjects = {path.split("/")[1] for path in paths}
    told = {each for each in subjects if f"$NOTIFIER/{each}" in GUIDE}
    assert subjects - told == set()
