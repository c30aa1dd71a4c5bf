"""A worker that dies where a test says: an app of test settings, which production never installs.

It watches statements, commits and SMTP from outside, so that it needs no hook in what it kills.
"""

from __future__ import annotations

import os
import re
import signal
import smtplib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tests.acceptance.faults.points import STATEMENTS, Point, When, path_of

_passed: Counter[Point] = Counter()


def pass_by(point: Point) -> None:
    """Die, if this point is armed; whoever takes the file away is the one."""
    path = path_of(point)
    if not path.exists():
        return
    victim, skipped = path.read_text().split(",")
    _passed[point] += 1
    if _passed[point] <= int(skipped):
        return
    try:
        path.unlink()
    except FileNotFoundError:
        return
    if victim != "child":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def watch(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Pass by the points of a statement."""
    points = [point for point, (pattern, _) in STATEMENTS.items() if re.search(pattern, sql)]
    _pass_all(points, When.BEFORE)
    result = execute(sql, params, many, context)
    _pass_all(points, When.AFTER)
    connection = context["connection"]
    if connection.in_atomic_block:
        connection.passing = [*getattr(connection, "passing", []), *points]
    else:
        _pass_all(points, When.COMMITTED)
    return result


def _pass_all(points: list[Point], when: When) -> None:
    for point in points:
        if STATEMENTS[point][1] is when:
            pass_by(point)


def _install(connection: Any, **_kwargs: Any) -> None:
    if watch not in connection.execute_wrappers:
        connection.execute_wrappers.append(watch)


_commit = BaseDatabaseWrapper.commit
_mail, _data = smtplib.SMTP.mail, smtplib.SMTP.data


def _watched_commit(self: Any) -> None:
    points, self.passing = getattr(self, "passing", []), []
    _commit(self)
    _pass_all(points, When.COMMITTED)


def _watched_mail(self: Any, *args: Any, **kwargs: Any) -> Any:
    pass_by(Point.BEFORE_THE_SEND)
    return _mail(self, *args, **kwargs)


def _watched_data(self: Any, message: Any) -> Any:
    if path_of(Point.IN_THE_MAIL).exists():
        self.putcmd("data")
        self.getreply()
        self.sock.sendall(message[: len(message) // 2])
        pass_by(Point.IN_THE_MAIL)
    answer = _data(self, message)
    pass_by(Point.AFTER_THE_SEND)
    return answer


class Dying(AppConfig):
    """Puts the watchers in their places."""

    name = "tests.acceptance.faults.dying"
    label = "dying"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        """Watch."""
        connection_created.connect(_install)
        BaseDatabaseWrapper.commit = _watched_commit  # type: ignore[method-assign]
        smtplib.SMTP.mail = _watched_mail  # type: ignore[method-assign]
        smtplib.SMTP.data = _watched_data  # type: ignore[method-assign,assignment]
