"""What one run found: each figure beside its ceilings, and whether its target is reached."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure, Target, Values
from bench.registry import BY_KEY, FIGURES


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure as one run has it, beside one of its ceilings."""

    figure: Figure
    values: Sequence[float]
    ceiling: Figure | None = None
    ratio: float | None = None
    target: Target | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to tell it by."""
        if self.target is None:
            return None
        seen = self.ratio if self.target.share else statistics.median(self.values)
        return None if seen is None else self.target.met_by(seen)


def findings(values: Values) -> list[Finding]:
    """Return all figures that were measured, once for each ceiling."""
    return [
        each for figure in FIGURES if values.get(figure.key) for each in _beside(figure, values)
    ]


def _beside(figure: Figure, values: Values) -> list[Finding]:
    measured = values[figure.key]
    if not figure.ceilings:
        return [Finding(figure, measured, target=figure.target)]
    return [
        Finding(
            figure,
            measured,
            BY_KEY[key],
            _ratio(measured, values.get(key, ())),
            None if number else figure.target,
        )
        for number, key in enumerate(figure.ceilings)
    ]


def _ratio(measured: Sequence[float], ceiling: Sequence[float]) -> float | None:
    """Return the median of the repetitions' own ratios, each beside the ceiling of its minute."""
    if not ceiling:
        return None
    if len(measured) == len(ceiling):
        return statistics.median(a / b for a, b in zip(measured, ceiling, strict=True))
    return statistics.median(measured) / statistics.median(ceiling)
