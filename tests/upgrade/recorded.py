"""What a release left behind: its messages in Redis, and the columns that it fills in each table."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

RELEASES = sorted(
    each.name for each in Path(__file__).parent.iterdir() if (each / "messages.json").exists()
)


def messages(release: str) -> dict[str, dict[str, Any]]:
    """Return a release's messages, as they lay in the lists of Redis, by a name for people."""
    return _read(release, "messages.json")


def columns(release: str) -> dict[str, list[str]]:
    """Return the columns that a release names when it INSERTs into a table."""
    return _read(release, "columns.json")


def body(message: dict[str, Any]) -> list[Any]:
    """Return a message's positional arguments, keyword arguments and links."""
    found: list[Any] = json.loads(base64.b64decode(message["body"]))
    return found


def _read(release: str, name: str) -> dict[str, Any]:
    text = (Path(__file__).parent / release / name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
