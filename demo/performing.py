"""What is to be seen once everything runs: people, events, what became of them, where to look."""

from __future__ import annotations

import json
import time
from uuid import UUID

from django.utils import timezone
from rich.spinner import Spinner
from rich.text import Text

from demo import checking, people, story
from demo.blocks import outcome_block, people_table
from demo.following import look
from demo.interrupts import Interrupted
from demo.parts import Parts
from demo.screen import Screen, pairs
from demo.surroundings import Surroundings
from notifier.models import Event

PATIENCE_S = 30.0
"""For one event; then the next one's turn comes all the same."""
SETTLING_S = 2.5
"""Two sweeps and a bit: whatever is sent twice or too much has come by then."""


def perform(screen: Screen, parts: Parts, surroundings: Surroundings, *, once: bool) -> int:
    """Play the story; then check it (`once`), or stay until somebody ends it."""
    people.invite(surroundings.admin_password)
    tokens = story.make_sources()
    screen.headline("Three people")
    screen.show(people_table())
    screen.headline("Five events", "posted over HTTP, dated last weekend, times of Oslo")
    for event in story.load_events(timezone.now()):
        token = tokens[event["source"]]
        event_id = story.post(event, port=surroundings.web_port, token=token)
        _follow(event_id, screen, parts)
    if once:
        return _check(screen, parts)
    _show_addresses(screen, parts, surroundings)
    _show_how_to_post(screen, surroundings, tokens["webshop"])
    return _stay(screen, parts)


def _follow(event_id: UUID, screen: Screen, parts: Parts) -> None:
    """Show an event until all its messages are in the inbox."""
    spinner = Spinner("dots")
    outcome = look(event_id, [])
    deadline = time.monotonic() + PATIENCE_S
    with screen.live(lambda: outcome_block(outcome, spinner), keep=True):
        while not outcome.settled and time.monotonic() < deadline:
            parts.check()
            time.sleep(0.05)
            outcome = look(event_id, parts.inbox.messages())


def _check(screen: Screen, parts: Parts) -> int:
    screen.say("")
    spinner = Spinner("dots", Text("is there anything that should not come?", "dim"))
    with screen.live(lambda: spinner, keep=False):
        time.sleep(SETTLING_S)
    parts.check()
    expected = checking.load_expected()
    problems = checking.compare(expected, checking.read(parts.inbox.messages()))
    for problem in problems:
        screen.say(f"✗  {problem}", "red")
    if not problems:
        screen.say(f"✓  exactly the {len(expected)} expected messages arrived", "green")
    return 1 if problems else 0


def _show_addresses(screen: Screen, parts: Parts, surroundings: Surroundings) -> None:
    web = f"http://127.0.0.1:{surroundings.web_port}"
    flower = f"http://127.0.0.1:{surroundings.flower_port}/"
    screen.headline("Look around")
    screen.show(
        pairs(
            [
                ("Inbox", parts.inbox.url, "every message, as it arrived"),
                ("Admin", f"{web}/admin/", f"admin / {surroundings.admin_password}"),
                ("API", f"{web}/api/v1/docs", ""),
                ("Health", f"{web}/readyz", ""),
                ("Flower", flower, f"demo / {surroundings.flower_password}"),
            ]
        )
    )


def _show_how_to_post(screen: Screen, surroundings: Surroundings, token: str) -> None:
    event = json.dumps({"description": "Lunch is ready", "recipients": ["ben"]})
    screen.headline("Post an event yourself", "in another terminal; it will show up here")
    screen.verbatim(
        f" curl http://127.0.0.1:{surroundings.web_port}/api/v1/events \\\n"
        f"   -H 'Authorization: Bearer {token}' \\\n"
        f"   -d '{event}'"
    )
    screen.say("")
    screen.say("Ready. Ctrl-C ends it all and leaves nothing behind.", "bold")


def _stay(screen: Screen, parts: Parts) -> int:
    """Show every further event, until a signal: the way to end the demo, so no failure."""
    shown = set(Event.objects.values_list("pk", flat=True))
    try:
        while True:
            for event_id in Event.objects.order_by("received").values_list("pk", flat=True):
                if event_id not in shown:
                    _follow(event_id, screen, parts)
                    shown.add(event_id)
            parts.check()
            time.sleep(0.3)
    except Interrupted:
        return 0
