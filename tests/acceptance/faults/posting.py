"""Posting over HTTP all the while, and counting the answers."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from tests.acceptance.faults.case import FaultCase

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Poster:
    """Posts an event after the other; only what was answered with 202 is expected to come."""

    def __init__(self, case: FaultCase, url: str, token: str, people: Sequence[User]) -> None:
        self.answers: Counter[int] = Counter()
        self.unretriable = 0
        """503s that did not say when to come again."""
        self._case, self._url, self._token, self._people = case, url, token, people
        self._ending = threading.Event()

    @contextmanager
    def at_work(self, pause_s: float = 0.1) -> Iterator[None]:
        """Post until the end of the block."""

        self._ending.clear()

        def work() -> None:
            while not self._ending.wait(pause_s):
                self.post()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    def post(self) -> int:
        """Post one event; return the status."""
        body = self._case.expect(self._people)
        request = urllib.request.Request(
            f"{self._url}/api/v1/events",
            data=json.dumps(body | {"source_event_id": body["description"]}).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status = int(response.status)
        except HTTPError as error:
            status = error.code
            self.unretriable += status == 503 and not error.headers["Retry-After"]
            error.close()
        if status != 202:
            self._case.expected -= {(body["description"], user.email) for user in self._people}
        self.answers[status] += 1
        return status
