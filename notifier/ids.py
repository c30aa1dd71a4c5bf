"""Event ids: the same on every side, with or without a database."""

from __future__ import annotations

import os
import time
import uuid

# Fixed for ever: changing it would turn every repeat into a new event.
EVENT_NAMESPACE = uuid.UUID("6f1f8a52-5e0c-5a4b-9a53-1e6b7b7f2d10")


def new_event_id() -> uuid.UUID:
    """Make a UUIDv7 (RFC 9562, section 5.7): time-ordered, so that inserts stay cheap."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def event_id_for(
    source: str, source_event_id: str | None, fallback: uuid.UUID | None = None
) -> uuid.UUID:
    """Return the event's id: UUIDv5 of the two where the source names its event, else `fallback`,
    else a new one.

    A source's name holds no colon, so the pair can be read only one way.
    """
    if source_event_id is None:
        return fallback or new_event_id()
    return uuid.uuid5(EVENT_NAMESPACE, f"{source}:{source_event_id}")


def message_event_id(message_id: str, index: int = 0) -> uuid.UUID:
    """Return the id of an event that a queue's message brought without naming it.

    The first (or only) one has the message's own id, so that its sender knows it; a message that
    comes twice names the same events twice.
    """
    try:
        own = uuid.UUID(message_id)
    except ValueError:
        own = uuid.uuid5(EVENT_NAMESPACE, f"message:{message_id}")
    return uuid.uuid5(own, str(index)) if index else own
