"""Messages that are doubled, lost or out of order: everybody is told once, in order, and soon."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict

import pytest
import redis

from notifier.models import Delivery
from tests.acceptance.stack import Stack, eventually, post

TYPES = ("STA", "CHI", "OTH", "CHI", "END")
INCIDENTS = 4
TOLD = 5
"""People, and so deliveries of each event."""


@pytest.mark.parametrize("trouble", ["double", "drop", "swap"])
def test_messages_in_trouble_change_nothing(
    stack: Stack, token: str, people: list[str], trouble: str
) -> None:
    stack.env |= {"DJANGO_SETTINGS_MODULE": "tests.acceptance.troubled", "TROUBLE": trouble}
    url = stack.standard()
    posted: dict[str, list[str]] = defaultdict(list)
    for step, kind in enumerate(TYPES):
        for incident in range(INCIDENTS):
            description = f"incident {incident} step {step}"
            event = {"type": kind, "incident_key": f"i{incident}", "description": description}
            post(url, token, {**event, "recipients": people[:TOLD]})
            posted[f"incident {incident}"].append(description)
    start = time.monotonic()
    total = len(TYPES) * INCIDENTS * TOLD

    eventually(lambda: Delivery.objects.filter(state="sent").count() == total, "the end of all", 60)

    assert time.monotonic() - start < 20
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mail in stack.inbox.messages():
        [address] = mail["to"]
        found = re.search(r"(incident \d+) step \d+", mail["text"])
        assert found
        told[address, found[1]].append(found[0])
    assert Counter(map(len, told.values())) == {len(TYPES): INCIDENTS * TOLD}
    assert all(heard == posted[incident] for (_, incident), heard in told.items())
    with redis.Redis.from_url(stack.redis.url, decode_responses=True) as client:
        # one a step at least: of those that wait together, one message tells
        assert int(client.get("troubled") or 0) >= len(TYPES)
