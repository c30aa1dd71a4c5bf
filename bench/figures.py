"""Every figure that the benchmark measures: what it is, its unit, what it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CEILINGS = "Raw ceilings"
ALONE = "One stage alone"
WHOLE = "The whole pipeline"
CPU = "CPU seconds per 1,000 notifications"
MEMORY = "Resident memory"
STEP_CPU = "CPU milliseconds each, in-process"
GROUPS = (WHOLE, ALONE, CEILINGS, STEP_CPU, CPU, MEMORY)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured; `ceiling` is the key of the raw figure that bounds it."""

    key: str
    group: str
    title: str
    unit: str
    ceiling: str = ""


FIGURES = (
    Figure("flow.A", WHOLE, "A: 1 match per event", "notifications/s", "mail"),
    Figure("flow.B", WHOLE, "B: 100 matches per event", "notifications/s", "mail"),
    Figure("intake.1", ALONE, "intake over HTTP, one event per request", "events/s", "http"),
    Figure("intake.100", ALONE, "intake over HTTP, lists of 100", "events/s", "event"),
    Figure("accept.100", ALONE, "intake in-process, lists of 100", "events/s", "event"),
    Figure("dispatch.A", ALONE, "dispatch, 1 match per event", "deliveries/s", "delivery"),
    Figure("dispatch.B", ALONE, "dispatch, 100 matches per event", "deliveries/s", "delivery"),
    Figure("deliver.A", ALONE, "deliver, every event another", "mails/s", "mail"),
    Figure("deliver.B", ALONE, "deliver, 100 recipients per event", "mails/s", "mail"),
    Figure("mail", CEILINGS, "Django's EmailMultiAlternatives built and sent", "mails/s"),
    Figure("mail.text", CEILINGS, "Django's EmailMessage (text) built and sent", "mails/s"),
    Figure("mail.ready", CEILINGS, "ready bytes by smtplib", "mails/s"),
    Figure("celery", CEILINGS, "no-op Celery tasks, two worker processes", "tasks/s"),
    Figure("delivery", CEILINGS, "bulk_create of deliveries by 1,000", "rows/s"),
    Figure("event", CEILINGS, "bulk_create of events by 100", "rows/s"),
    Figure("http", CEILINGS, "GET /livez, two connections", "requests/s"),
    Figure("accept.100.cpu", STEP_CPU, "intake in-process, lists of 100, per event", "ms"),
    Figure("dispatch.A.cpu", STEP_CPU, "dispatch, 1 match per event, per delivery", "ms"),
    Figure("dispatch.B.cpu", STEP_CPU, "dispatch, 100 matches per event, per delivery", "ms"),
    Figure("deliver.A.cpu", STEP_CPU, "deliver, every event another, per mail", "ms"),
    Figure("deliver.B.cpu", STEP_CPU, "deliver, 100 recipients per event, per mail", "ms"),
    Figure("mail.cpu", STEP_CPU, "ceiling: Django's EmailMultiAlternatives", "ms"),
    Figure("mail.ready.cpu", STEP_CPU, "ceiling: ready bytes by smtplib", "ms"),
    Figure("delivery.cpu", STEP_CPU, "ceiling: bulk_create of deliveries by 1,000", "ms"),
    Figure("event.cpu", STEP_CPU, "ceiling: bulk_create of events by 100", "ms"),
    *(
        Figure(f"cpu.{case}.{part}", CPU, f"{case}: {what}", "s")
        for case in "AB"
        for part, what in (
            ("events", "worker of `events`"),
            ("email", "worker of `media.email`"),
            ("web", "gunicorn"),
            ("beat", "beat"),
            ("database", "PostgreSQL"),
            ("redis", "Redis"),
            ("total", "all together"),
        )
    ),
    *(
        Figure(f"rss.{part}.{when}", MEMORY, f"child of `{queue}`, {at}", "MiB")
        for part, queue in (("events", "events"), ("email", "media.email"))
        for when, at in (("before", "at first"), ("after", "after all runs"))
    ),
)

Values = dict[str, list[float]]
"""What was measured, by the figure's key: one value per repetition."""


def shown(values: Sequence[float]) -> str:
    """Return the median with the range, such as `812 (790-845)`."""
    if not values:
        return "-"
    median = _short(statistics.median(values))
    if len(values) == 1:
        return median
    return f"{median} ({_short(min(values))}-{_short(max(values))})"


def ratio(figure: Figure, values: Values) -> str:
    """Return how much of its ceiling a figure reaches, such as `38 %`."""
    if not (figure.ceiling and values.get(figure.key) and values.get(figure.ceiling)):
        return ""
    share = statistics.median(values[figure.key]) / statistics.median(values[figure.ceiling])
    return f"{share:.0%}".replace("%", " %")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}"
