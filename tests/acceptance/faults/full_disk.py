"""A disk that fills up: an app of test settings that bounds how much SQLite may hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

VARIABLE = "NOTIFIER_TEST_MAX_PAGES"
"""Names the file that says how many pages the database may have; absent: any number."""


def _bound(connection: Any, **_kwargs: Any) -> None:
    path = Path(os.environ[VARIABLE])
    if path.exists():
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA max_page_count = {int(path.read_text())}")


class FullDisk(AppConfig):
    """Bounds each connection as it is made; a task and a request make their own."""

    name = "tests.acceptance.faults.full_disk"
    label = "full_disk"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        """Bound connections."""
        connection_created.connect(_bound)
