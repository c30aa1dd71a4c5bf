"""One run as a picture: matching, latency, scaling and costs, each with what it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.argus import MATCHING_MS
from bench.figures import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "producer": "posting",
    "events": "events worker",
    "medium": "medium's worker",
    "database": "PostgreSQL",
    "redis": "Redis",
}
CASES = {"many": "mail,\n100 each", "one": "mail,\n1 each", "null": "nothing,\n1 each"}


def draw(values: Values, path: Path) -> None:
    """Write it as SVG, the same bytes for the same values."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.rcParams |= {"svg.hashsalt": "notifier", "font.size": 8, "axes.grid": True}
    mpl.rcParams |= {"grid.alpha": 0.3, "legend.frameon": False, "axes.axisbelow": True}
    figure, ((top, middle, right), (left, bottom, last)) = plt.subplots(
        2, 3, figsize=(11, 6), layout="constrained"
    )
    _matching(top, values)
    _latency(middle, values)
    _recipients(right, values)
    _workers(left, values, "email")
    _workers(bottom, values, "webhook")
    _costs(last, values)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _by_number(values: Values, prefix: str, suffix: str = "") -> tuple[list[int], list[float]]:
    """Return the numbers in keys such as `matching.1000.p50_us`, and their medians."""
    found = {}
    for key, measured in values.items():
        if key.startswith(prefix) and key.endswith(suffix):
            number = key[len(prefix) : len(key) - len(suffix)]
            if number.isdigit():
                found[int(number)] = statistics.median(measured)
    numbers = sorted(found)
    return numbers, [found[number] for number in numbers]


def _labelled(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _matching(axes: Axes, values: Values) -> None:
    axes.plot(list(MATCHING_MS), [1000 * ms for ms in MATCHING_MS.values()], "k:", label="Argus")
    for cut in (50, 99):
        axes.plot(*_by_number(values, "matching.", f".p{cut}_us"), "o-", label=f"p{cut}")
    axes.loglog()
    _labelled(axes, "Matching one event", "profiles", "µs")


def _latency(axes: Axes, values: Values) -> None:
    for cut in (50, 99):
        axes.plot(*_by_number(values, "latency.", f".p{cut}"), "o-", label=f"p{cut}")
    axes.set_xticks(_by_number(values, "latency.", ".p50")[0])
    axes.set_ylim(bottom=0)
    _labelled(axes, "Accepted until handed over", "events/s", "ms")


def _recipients(axes: Axes, values: Values) -> None:
    axes.plot(*_by_number(values, "recipients."), "o-", label="one event's mails")
    for key, label in (("raw.mail", "loop of EmailMessage"), ("raw.mail.html", "… with HTML")):
        if values.get(key):
            axes.axhline(statistics.median(values[key]), ls=":", color="k", label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    _labelled(axes, "One event, many recipients", "recipients", "mails/s")


def _workers(axes: Axes, values: Values, medium: str) -> None:
    counts, rates = _by_number(values, f"workers.{medium}.")
    axes.plot(counts, rates, "o-", label="measured")
    if rates:
        axes.plot(counts, _ideal(counts, rates), "k:", label="in proportion")
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    _labelled(axes, f"{medium}, 50 ms an answer", "worker processes", "messages/s")


def _ideal(counts: Sequence[int], rates: Sequence[float]) -> list[float]:
    return [rates[0] * count / counts[0] for count in counts]


def _costs(axes: Axes, values: Values) -> None:
    bottom = [0.0] * len(CASES)
    for part, label in PARTS.items():
        heights = [
            statistics.median(values.get(f"cost.{case}.cpu.{part}") or [0.0]) for case in CASES
        ]
        axes.bar(list(CASES.values()), heights, bottom=bottom, label=label)
        bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
    axes.set_ylim(top=1.5 * max([*bottom, 0.1]))  # room for the legend
    _labelled(axes, "CPU per notification", "", "ms")
