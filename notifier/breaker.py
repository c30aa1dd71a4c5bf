"""The circuit breaker of a host: a pure function of what was heard of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

from notifier.errors import Breaker

IN_A_ROW = 5
"""So many failures in a row open it …"""
WINDOW = dt.timedelta(seconds=60)
WINDOW_TOTAL, WINDOW_SHARE = 20, 0.5
"""… and so does this share of at least so many tries within a window that a failure began."""
SLOW_WEIGHT = 3
"""A failure that took a worker's time counts as so many: two of them open it."""
LONGEST_PAUSE_S = 300.0
MOST_TRIPS = 30
"""It counts no further: the pause is at its longest long before."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one try said of a host; `slow` where it took most of the time that a send may take."""

    what: Breaker
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Circuit:
    """A host's breaker: `trips` is how often in a row it has opened; 0 while it is closed."""

    failures: int = 0
    trips: int = 0
    window_until: dt.datetime | None = None
    window_failed: int = 0
    window_total: int = 0

    def after(self, heard: Iterable[Heard], now: dt.datetime) -> Circuit:
        """Return what it is after some tries, in their order.

        It trips at most once, however many failures came in together. Any answer closes it.
        """
        circuit, said = self, [each for each in heard if each.what is not Breaker.SILENT]
        for each in said:
            circuit = circuit._after(each, now)
        tripped = circuit.failures >= IN_A_ROW or circuit.share_reached
        # half open, one failed probe is enough
        if said and circuit.failures and (tripped or circuit.trips):
            return Circuit(failures=circuit.failures, trips=min(circuit.trips + 1, MOST_TRIPS))
        return circuit

    def _after(self, heard: Heard, now: dt.datetime) -> Circuit:
        failed = heard.what is not Breaker.WELL
        circuit = (
            self
            if self.window_until and now < self.window_until
            else replace(
                self,
                window_until=now + WINDOW if failed else None,
                window_failed=0,
                window_total=0,
            )
        )
        if circuit.window_until:
            circuit = replace(
                circuit,
                window_failed=circuit.window_failed + failed,
                window_total=circuit.window_total + 1,
            )
        if not failed:
            return replace(circuit, failures=0, trips=0)
        weight = IN_A_ROW if heard.what is Breaker.OPENS else SLOW_WEIGHT if heard.slow else 1
        return replace(circuit, failures=circuit.failures + weight)

    @property
    def share_reached(self) -> bool:
        """Whether too many of the window's tries failed."""
        return self.window_total >= WINDOW_TOTAL and self.window_failed >= (
            WINDOW_SHARE * self.window_total
        )


def pause_s(trips: int, first_s: float, chance: float) -> float:
    """Return how long a breaker stays open: doubled with each trip, at most five minutes, ± 20 %."""
    return min(first_s * 2.0 ** (trips - 1), LONGEST_PAUSE_S) * (0.8 + 0.4 * chance)
