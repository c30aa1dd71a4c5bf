"""Wrong settings stop a process at start, with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.stack import BIN, ROOT

WRONG = {
    "SMS_GATEWAY_ADDRESS": "",
    "MEDIA_PLUGINS": "notifier.media.sms_as_email.SMSNotification",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}


def run(argv: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment to its end."""
    return subprocess.run(
        [str(BIN / argv[0]), *argv[1:]],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "celery -A worker.app worker -Q events",
        "celery -A worker.app beat",
        "gunicorn --no-control-socket -b 127.0.0.1:0 config.wsgi",
        "notifier migrate --check",
    ],
)
def test_a_process_whose_medium_lacks_a_setting_does_not_start(command: str) -> None:
    ended = run(command.split(), **WRONG)
    assert ended.returncode != 0
    assert "SMS_GATEWAY_ADDRESS is not set" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_hosts_own_broker_diverts_no_worker() -> None:
    script = "from worker.app import app; print(app.connection_for_read().as_uri())"
    ended = run(
        [Path(sys.executable).name, "-c", script],
        DJANGO_SETTINGS_MODULE="tests.settings",
        CELERY_BROKER_URL="redis://127.0.0.1:1/5",
        REDIS_URL="redis://127.0.0.1:2/7",
    )
    assert ended.stdout.strip() == "redis://:**@127.0.0.1:2/7"
