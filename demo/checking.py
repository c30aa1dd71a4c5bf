"""Whether exactly the expected messages arrived: what `--once` is for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from servers.inbox import CaughtMessage

EXPECTED = Path(__file__).with_name("expected.json")
GATEWAY = "@gateway.example"


class Message(NamedTuple):
    """What counts of a message: `says` is a mail's first line, an SMS's text."""

    to: str
    medium: str
    says: str


def load_expected() -> list[Message]:
    """Return the messages that the bundled events must lead to."""
    return [Message(**each) for each in json.loads(EXPECTED.read_text("utf-8"))]


def read(caught: Iterable[CaughtMessage]) -> list[Message]:
    """Return what counts of caught messages, one per recipient."""
    return [
        Message(to, "sms", message["text"].strip())
        if to.endswith(GATEWAY)
        else Message(to, "email", message["text"].partition("\n")[0].strip())
        for message in caught
        for to in message["to"]
    ]


def compare(expected: Iterable[Message], arrived: Iterable[Message]) -> list[str]:
    """Return a sentence for each message that is missing or too much; none where all is right."""
    wanted, there = Counter(expected), Counter(arrived)
    missing = [f"missing: {_sentence(each)}" for each in (wanted - there).elements()]
    return missing + [f"too much: {_sentence(each)}" for each in (there - wanted).elements()]


def _sentence(message: Message) -> str:
    return f"{message.medium} to {message.to}: “{message.says}”"
