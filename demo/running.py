"""The demo from its first program to its last: what is started when, and what it needs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from rich.spinner import Spinner

from demo import loopback
from demo.interrupts import Interrupts
from demo.parts import CELERY, Parts
from demo.screen import Screen, parts_table
from demo.surroundings import Surroundings


def run(screen: Screen, *, once: bool) -> int:
    """Run the demo and return the exit code; raise `Interrupted` or `PartFailed`.

    When it returns or raises, no program runs and no file is left.
    """
    with (
        Interrupts() as interrupts,
        TemporaryDirectory(prefix="notifier-demo-") as name,
        Parts(Path(name), interrupts) as parts,
    ):
        surroundings = Surroundings(Path(name))
        surroundings.move_in()
        _start(screen, parts, surroundings)
        # not before now: it needs Django to be set up
        from demo.performing import perform  # noqa: PLC0415

        try:
            return perform(screen, parts, surroundings, once=once)
        except OSError:
            # Somebody did not answer: most likely because they ended, which shows a moment later.
            time.sleep(0.5)
            parts.check()
            raise


def _start(screen: Screen, parts: Parts, surroundings: Surroundings) -> None:
    """Start every program, the slow ones first, and set the stage meanwhile."""
    began = time.monotonic()
    spinner = Spinner("dots")
    screen.headline(
        "Notifier", "events come in, the right people are told; all of it on this machine"
    )
    with screen.live(lambda: parts_table(parts.all, spinner), keep=False):
        parts.start_servers()
        surroundings.meet(parts.redis.url, parts.inbox.smtp_port)
        parts.start_worker("events", "decides who is told", "events,maintenance")
        parts.start_worker("media", "sends e-mail and SMS", "media.email,media.sms")
        _start_flower(parts, surroundings.flower_port)
        django.setup()
        _start_web(parts, surroundings.web_port)
        _start_beat(parts)
        parts.wait_until_ready()
    names = ", ".join(part.name for part in parts.all)
    screen.say(f"✓  {names} run ({time.monotonic() - began:.1f} s)", "green")


def _start_flower(parts: Parts, port: int) -> None:
    parts.start(
        "Flower",
        "shows the workers' tasks",
        *(*CELERY, "flower", "--address=127.0.0.1", f"--port={port}"),
        "--tasks_columns=name,args,state,result,received,runtime,worker",
        ready=lambda: loopback.status_of(port, "/"),
    )


def _start_web(parts: Parts, port: int) -> None:
    from django.core.management import call_command  # noqa: PLC0415 - as above

    parts.start(
        "web",
        "takes events, shows pages",
        *(sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "1", "--threads", "4", "--no-control-socket"),
        ready=lambda: loopback.status_of(port, "/readyz") == 200,  # noqa: PLR2004
    )
    call_command("migrate", verbosity=0)


def _start_beat(parts: Parts) -> None:
    from notifier.models import Heartbeat  # noqa: PLC0415 - as above

    # after the migrations, as it asks for the first sweep at once; ready when that is done
    parts.start(
        "beat", "asks for a sweep each second", *CELERY, "beat", ready=Heartbeat.objects.exists
    )
