"""What a mail server is to do wrong, and to whom."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

HANG, DRIP, RESET = "hang", "drip", "reset"
"""Instead of a reply: silence, a byte a second, a broken connection."""

STAGES = ("connect", "ehlo", "starttls", "mail", "rcpt", "data", "end")
"""`data` is the command, `end` the dot after the mail."""


@dataclass(slots=True)
class Rule:
    """At a stage, for one recipient or for all: a reply of its own, or HANG, DRIP, RESET.

    Without an `answer` only late, by `late_s` seconds. It holds so many `times`, or `for_s` seconds
    from a recipient's first contact on (greylisting); else always. `taken`: what came is kept all
    the same, so that a repeat of it is a second mail.
    """

    stage: str
    answer: str = ""
    to: str = ""
    times: int | None = None
    for_s: float | None = None
    late_s: float = 0.0
    taken: bool = False
    met: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"{self.stage} is no stage: {', '.join(STAGES)}")

    def holds(self, stage: str, recipient: str) -> bool:
        """Say whether it is this rule's turn; count it."""
        if stage != self.stage or (self.to and self.to != recipient.partition("@")[0]):
            return False
        if self.for_s is not None:
            first = self.met.setdefault(recipient, time.monotonic())
            return time.monotonic() - first < self.for_s
        if self.times is not None:
            self.times -= 1
            return self.times >= 0
        return True


def encode(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules as JSON takes them."""
    return [asdict(rule) for rule in rules]
