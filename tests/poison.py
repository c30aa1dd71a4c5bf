"""The worker's app, in which one event kills whatever process stores it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from worker.app import app

__all__ = ["app"]

POISON = "poison"

# not by an import: Django is set up by the one above
ingesting: Any = import_module("notifier.intake.ingesting")
_parse_event = ingesting.parse_event


def _parse_or_die(payload: object) -> object:
    if isinstance(payload, Mapping) and payload.get("source_event_id") == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return _parse_event(payload)


ingesting.parse_event = _parse_or_die
