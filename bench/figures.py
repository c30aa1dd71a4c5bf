"""What a figure is: its unit, what it is held against, what it is to reach, how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Values = Mapping[str, Sequence[float]]
"""What was measured on one database, by the figure's key: one value per repetition."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach: itself, or as a `share` of its first ceiling."""

    limit: float
    at_most: bool = False
    share: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a value, or a share, is good enough."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        limit = percent(self.limit) if self.share else short(self.limit)
        return f"{'≤' if self.at_most else '≥'} {limit}"


def at_least(limit: float) -> Target:
    """Return a target for what should be large."""
    return Target(limit)


def at_most(limit: float) -> Target:
    """Return a target for what should be small."""
    return Target(limit, at_most=True)


def share(limit: float) -> Target:
    """Return a target for what should be at least this part of its ceiling."""
    return Target(limit, share=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured; `ceilings` are keys of figures that it is held against, the first for the target."""

    key: str
    group: str
    title: str
    unit: str
    ceilings: tuple[str, ...] = ()
    target: Target | None = None


def shown(values: Sequence[float]) -> str:
    """Return the median with the range, such as `812 (790-845)`."""
    if not values:
        return "-"
    median = short(statistics.median(values))
    return f"{median} ({short(min(values))}-{short(max(values))})" if len(values) > 1 else median


def short(value: float) -> str:
    """Return three digits or so."""
    if abs(value) >= 20 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"


def percent(value: float) -> str:
    """Return a ratio for people."""
    return f"{100 * value:.0f} %"
