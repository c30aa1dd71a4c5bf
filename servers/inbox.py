"""A local inbox that catches mail: `python -m servers.inbox --smtp-port N --http-port M`.

Recipients named `refuse@…` get 550, `busy@…` 451; everything else is taken and shown.
"""

import argparse
import asyncio
import http.client
import json
import os
import sys
from pathlib import Path

from servers.caught import CaughtMessage
from servers.inbox_server import serve
from servers.process import Process
from servers.server import Server
from servers.waiting import listenable

__all__ = ["CaughtMessage", "Inbox"]

ROOT = Path(__file__).parent.parent


class Inbox(Server):
    """An inbox in a process of its own, ready when the constructor returns.

    Raises RuntimeError with the log's end when it does not start, TimeoutError, OSError for a taken port.
    """

    def __init__(
        self, directory: Path, *, smtp_port: int | None = None, http_port: int | None = None
    ) -> None:
        self.smtp_port = listenable(smtp_port)
        self.http_port = listenable(http_port)
        argv = [sys.executable, "-m", "servers.inbox"]
        argv += ["--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = Process("inbox", argv, directory=directory, env={"PYTHONPATH": path})
        self._wait_until_ready()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/"

    def messages(self) -> list[CaughtMessage]:
        """Return the newest 10,000 caught messages, oldest first."""
        caught: list[CaughtMessage] = json.loads(self._request("GET", "/messages.json"))
        return caught

    def clear(self) -> None:
        """Forget all messages."""
        self._request("DELETE", "/messages")

    def _answers(self) -> bool:
        try:
            self._request("GET", "/messages.json")
        except OSError:
            return False
        return True

    def _request(self, method: str, path: str) -> bytes:
        # Not urllib, which would ask the environment's proxy.
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m servers.inbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.smtp_port, options.http_port))


if __name__ == "__main__":
    main()
