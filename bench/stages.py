"""Each stage alone, with nothing else running: intake, dispatch, deliver."""

from __future__ import annotations

from collections.abc import Callable

from bench.ceilings import timed
from bench.filling import LIST, MATCHES, Wrong, clear, events, store, verify
from bench.posting import get, post
from bench.site import Site
from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.models import Event


def dispatch_and_deliver(site: Site, case: str, count: int) -> dict[str, float]:
    """Store events, then match them, then send, all in this process; return the rates."""
    expected = count * MATCHES[case]
    clear(site)
    posted = events(case, count)
    accepted = timed("accept.100", count, lambda: store(posted))
    dispatched = timed(
        f"dispatch.{case}", expected, lambda: _until_nothing(expected, dispatch, "deliveries")
    )
    delivered = timed(
        f"deliver.{case}",
        expected,
        lambda: _until_nothing(expected, lambda: deliver("email", worker="bench"), "sent"),
    )
    verify(site, expected)
    return dispatched | delivered | (accepted if case == "A" else {})


def _until_nothing(expected: int, step: Callable[[], dict[str, int]], word: str) -> None:
    """Repeat a step until it counts nothing more; raise `Wrong` unless it counted `expected`."""
    total = 0
    while done := step()[word]:
        total += done
    if total != expected:
        raise Wrong(f"{word}: {total}, not {expected}")


def intake(site: Site, port: int, token: str, singles: int, listed: int) -> dict[str, float]:
    """Post over HTTP while no worker runs; return the rates, and that of a page without work."""
    clear(site)
    found = {
        "http": singles / get(port, "/livez", singles),
        "intake.1": singles / post(port, token, events("A", singles), size=1),
        "intake.100": listed / post(port, token, events("A", listed), size=LIST),
    }
    if (stored := Event.objects.count()) != singles + listed:
        raise Wrong(f"{stored} events stored, not {singles + listed}")
    clear(site)
    return found
