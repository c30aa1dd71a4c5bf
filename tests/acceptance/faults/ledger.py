"""A mail server in a process of its own that keeps who got what when, and errs on request."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from servers.process import Process
from servers.server import Server
from servers.waiting import free_port
from tests.acceptance.faults.rules import Rule, encode

ROOT = Path(__file__).resolve().parents[3]


class Entry(NamedTuple):
    """A mail that was taken: what identifies it, whom it is for, and when (Unix time)."""

    message_id: str
    to: str
    at: float

    @property
    def key(self) -> str:
        """The delivery's `message_key`."""
        return self.message_id.strip("<>").rpartition("@")[0]


class Ledger(Server):
    """A ledger, ready when the constructor returns. With a `certificate` (PEM, with its key) it offers STARTTLS."""

    def __init__(self, directory: Path, *, certificate: Path | None = None) -> None:
        self.smtp_port, self._control_port = free_port(), free_port()
        argv = [sys.executable, "-m", "tests.acceptance.faults.ledger_server"]
        argv += [str(self.smtp_port), str(self._control_port)]
        argv += [str(certificate)] if certificate else []
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        name = f"ledger-{self.smtp_port}"
        self.process = Process(name, argv, directory=directory, env={"PYTHONPATH": path})
        self._wait_until_ready()

    def script(self, *rules: Rule) -> None:
        """Let these rules hold, and no others."""
        self._ask({"do": "script", "rules": encode(rules)})

    def refuse(self) -> None:
        """Refuse all connections, and break those there are."""
        self._ask({"do": "refuse"})

    def listen(self) -> None:
        """Take connections again."""
        self._ask({"do": "listen"})

    def entries(self) -> list[Entry]:
        """Return what was taken, in its order."""
        return [Entry(*each) for each in self._ask({"do": "entries"})]

    def count(self) -> int:
        """Return how many mails were taken."""
        return int(self._ask({"do": "count"}))

    def seen(self) -> Counter[str]:
        """Return how often each stage was reached."""
        return Counter(self._ask({"do": "seen"}))

    def _answers(self) -> bool:
        try:
            self.count()
        except OSError:
            return False
        return True

    def _ask(self, question: dict[str, Any]) -> Any:
        with (
            socket.create_connection(("127.0.0.1", self._control_port), timeout=30) as connection,
            connection.makefile("rw") as lines,
        ):
            lines.write(json.dumps(question) + "\n")
            lines.flush()
            return json.loads(lines.readline())
