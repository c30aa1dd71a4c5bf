"""Media by plugins that do what no plugin should."""

from __future__ import annotations

import os
import resource
import smtplib
import socket
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django import forms

from notifier.media.base import Destination, NotificationMedium
from notifier.models import Event

CALLS = "NOTIFIER_TEST_CALLS"
"""Names the file that each send is written to before it begins: one address a line."""
LEDGER_PORT = "NOTIFIER_TEST_LEDGER_PORT"

_leaked: list[bytes] = []


def raise_an_exception() -> None:
    raise RuntimeError("by a plugin")


def raise_an_interrupt() -> None:
    raise KeyboardInterrupt


def raise_a_base_exception() -> None:
    raise BaseException("by a plugin")  # noqa: TRY002 - that is the fault


def end_the_process() -> None:
    os._exit(3)


def exit_by_sys() -> None:
    sys.exit(3)


def hang() -> None:
    time.sleep(3600)


def spin() -> None:
    while True:
        pass


def swallow_time_limits() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(3600)


def return_nothing() -> None:
    return None


def return_a_list() -> list[int]:
    return [1, 2, 3]


def return_an_object() -> object:
    return object()


def patch_sockets() -> str:
    """Leave a process in which nothing about sockets and paths is as it was, but works."""

    class Patched(socket.socket):
        pass

    socket.socket = Patched  # type: ignore[misc]
    socket.setdefaulttimeout(0.5)
    os.chdir("/")
    return "patched"


def close_files() -> str:
    """Close what connects the process to others.

    Not its files: SQLite's, closed under it, would ruin the database; nobody can guard against that.
    """
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers are wanted
        with suppress(OSError):
            mode = os.fstat(int(name)).st_mode
            if int(name) > 2 and (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)):
                os.close(int(name))
    return "closed"


def leak_memory() -> None:
    """Take memory until there is no more, below a limit on the process, and keep it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20, most))
    while True:
        _leaked.append(bytes(16 * 2**20))


FAULTS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        raise_an_exception,
        raise_an_interrupt,
        raise_a_base_exception,
        end_the_process,
        exit_by_sys,
        hang,
        spin,
        swallow_time_limits,
        return_nothing,
        return_a_list,
        return_an_object,
        patch_sockets,
        close_files,
        leak_memory,
    )
}


class Nasty(NotificationMedium):
    """Does to its process what the address names; every other address is sent to by mail."""

    MEDIA_SLUG = "nasty"
    MEDIA_NAME = "Nasty"
    MEDIA_SETTINGS_KEY = "address"
    RETRY_DELAYS = (0.2, 0.2)

    class Form(forms.Form):
        address = forms.CharField()

    def render(self, event: Event) -> str:
        return event.description

    def send_one(self, message: str, destination: Destination, _session: Any) -> Any:
        address = destination.settings["address"]
        with Path(os.environ[CALLS]).open("a") as calls:
            calls.write(f"{address}\n")
        if fault := FAULTS.get(address):
            return fault()
        with smtplib.SMTP("127.0.0.1", int(os.environ[LEDGER_PORT])) as smtp:
            smtp.sendmail(
                "notifier@localhost",
                [address],
                f"Message-ID: <{destination.message_key}@localhost>\n\n{message}",
            )
        return "sent"
