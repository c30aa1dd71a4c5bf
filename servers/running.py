"""Run a command beside a server, passing signals on and the exit code back."""

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

S = TypeVar("S")
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_command(
    argv: "Sequence[str]",
    start: "Callable[[], AbstractContextManager[S]]",
    environment: "Callable[[S], Mapping[str, str]]",
) -> int:
    """Start a server, run a command in the environment made from it, and stop the server.

    Returns the command's exit code: 128 + N when signal N ended it, or came before it began; 127
    when there is no such command. Changes this process's signal handlers: for `main` functions.
    """
    signals = _Signals()
    for signum in PASSED_ON:
        signal.signal(signum, signals.take)
    with start() as server:
        if signals.pending:
            return 128 + signals.pending[0]
        try:
            signals.child = subprocess.Popen(argv, env=environment(server))
        except OSError as error:
            sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
            return 127
        signals.pass_on()
        code = signals.child.wait()
        signals.child = None
    return code if code >= 0 else 128 - code


class _Signals:
    """Signals kept until there is a child to give them to."""

    def __init__(self) -> None:
        self.pending: list[int] = []
        self.child: subprocess.Popen[bytes] | None = None

    def take(self, signum: int, _frame: "FrameType | None") -> None:
        if self.child and signum == signal.SIGINT and _at_terminal():
            return  # Ctrl-C has reached the child already; twice means "at once" to many programs
        self.pending.append(signum)
        self.pass_on()

    def pass_on(self) -> None:
        while self.child and self.pending:
            self.child.send_signal(self.pending.pop(0))


def _at_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
