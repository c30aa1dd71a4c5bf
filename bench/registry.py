"""Every figure that the benchmark measures."""

from __future__ import annotations

from bench.figures import Figure, at_least, at_most, share
from bench.sizes import FULL

MATCHING = "Matching one event"
QUERIES = "Queries per batch"
FAN_OUT = "Fan-out: 100 events, 100 recipients each, one worker of the medium"
ONE = "One event, one recipient: 5,000 of them, end to end"
INTAKE = "Taking events in"
LATENCY = "Latency, accepted until handed over"
SCALING = "Scaling"
MEMORY = "Memory, and a backlog of 100,000 events"
COSTS = "CPU of Notifier, its database and Redis, per 1,000 notifications"
CEILINGS = "Raw ceilings: the parts without Notifier"
GROUPS = (MATCHING, QUERIES, FAN_OUT, ONE, INTAKE, LATENCY, SCALING, MEMORY, COSTS, CEILINGS)


def _matching() -> list[Figure]:
    targets = {
        (10_000, "p50_us"): at_most(30),
        (100_000, "p50_us"): at_most(60),
        (100_000, "load_s"): at_most(3),
        **{(count, "p99_us"): at_most(300) for count in (10_000, 100_000)},
        **{(count, "bytes"): at_most(1024) for count in (10_000, 100_000)},
    }
    kinds = (("p50_us", "µs"), ("p99_us", "µs"), ("bytes", "bytes a profile"), ("load_s", "s"))
    words = {
        "p50_us": "p50",
        "p99_us": "p99",
        "bytes": "memory of the index",
        "load_s": "loading the index",
    }
    return [
        Figure(
            f"matching.{count}.{key}",
            MATCHING,
            f"matching, {words[key]}, {count:,} profiles",
            unit,
            target=targets.get((count, key)),
        )
        for key, unit in kinds
        for count in FULL.profiles
    ]


def _queries() -> list[Figure]:
    kinds = (
        ("dispatch", "dispatch, a batch", "events", at_most(8)),
        ("claim", "deliver, a claim", "deliveries", at_most(8)),
        ("flush", "deliver, a flush", "deliveries claimed", at_most(3)),
    )
    return [
        Figure(f"queries.{key}.{size}", QUERIES, f"{title} of {size} {what}", "queries", (), target)
        for key, title, what, target in kinds
        for size in (10, 100)
    ]


_TASKS = ("raw.tasks", "raw.tasks.likewise")
_MAILS = "mails/s"

PARTS = {
    "events": "worker of `events`",
    "medium": "worker of the medium",
    "beat": "beat",
    "database": "PostgreSQL",
    "redis": "Redis",
    "producer": "whoever posts",
    "sink": "the sink (no part of Notifier)",
}
CASES = {
    "many": "mail, 100 recipients an event",
    "one": "mail, one recipient, posted in lists",
    "single": "mail, one recipient, posted singly",
    "null": "a medium that does nothing, posted in lists",
}


def _costs() -> list[Figure]:
    return [
        Figure(f"cost.{case}.cpu.all", COSTS, title, "CPU s per 1,000")
        for case, title in CASES.items()
    ]


def _memory() -> list[Figure]:
    words = {"events": "worker of `events`", "medium": "worker of the medium"}
    return [
        Figure(
            "idle", MEMORY, "a worker at 1,000 profiles, idle", "MiB resident", (), at_most(110)
        ),
        Figure("after.growth", MEMORY, "its growth by 100,000 deliveries", "%", target=at_most(10)),
        *(
            Figure(f"{when}.{part}", MEMORY, f"child of the {title}, {at}", "MiB resident")
            for part, title in words.items()
            for when, at in (("idle", "idle"), ("after", "after 100,000 deliveries"))
        ),
        *(
            Figure(f"idle.{part}.whole", MEMORY, f"{title} with its child, idle", "MiB of its own")
            for part, title in words.items()
        ),
        Figure("backlog.redis", MEMORY, "Redis while 100,000 events wait", "MiB"),
        Figure(
            "backlog.drained", MEMORY, "draining them to a medium that does nothing", "events/s"
        ),
    ]


FIGURES: tuple[Figure, ...] = (
    *_matching(),
    *_queries(),
    Figure(
        "fan_out.mail", FAN_OUT, "fan-out, mail", _MAILS, ("raw.mail", "raw.mail.html"), share(1.2)
    ),
    Figure(
        "fan_out.webhook", FAN_OUT, "fan-out, signed webhooks", "posts/s", ("raw.post",), share(0.6)
    ),
    Figure(
        "events.on", FAN_OUT, "fan-out, mail, task events on", _MAILS, ("events.off",), share(0.9)
    ),
    Figure("events.off", FAN_OUT, "fan-out, mail, task events off", _MAILS),
    Figure(
        "one.mail.single", ONE, "one each, mail, posted by notify()", _MAILS, _TASKS, share(0.8)
    ),
    Figure(
        "one.mail.listed", ONE, "one each, mail, posted in lists of 100", _MAILS, _TASKS, share(1.1)
    ),
    Figure(
        "one.null", ONE, "one each, a medium that does nothing", "notifications/s", _TASKS, share(2)
    ),
    Figure(
        "http.single",
        INTAKE,
        "intake over HTTP, one event a request",
        "events/s",
        ("raw.page",),
        at_least(600),
    ),
    Figure(
        "http.listed",
        INTAKE,
        "intake over HTTP, lists of 100",
        "events/s",
        ("raw.events",),
        at_least(10_000),
    ),
    Figure("notify.p50", INTAKE, "notify(), p50", "ms", ("raw.commit.p50",), at_most(1.5)),
    Figure("notify.p99", INTAKE, "notify(), p99", "ms"),
    Figure(
        "notify.listed", INTAKE, "notify_many(), an event", "ms", ("raw.events.each",), at_most(0.1)
    ),
    *(
        Figure(
            f"latency.{rate}.p{cut}",
            LATENCY,
            f"latency, mail, {rate} events/s, p{cut}",
            "ms",
            target={(5, 50): at_most(35), (5, 99): at_most(120)}.get((rate, cut)),
        )
        for rate, _ in FULL.latency
        for cut in (50, 99)
    ),
    Figure(
        "critical.p50", LATENCY, "latency, critical event behind 50,000 routine ones, p50", "ms"
    ),
    Figure(
        "critical.p99",
        LATENCY,
        "latency, critical event behind 50,000 routine ones, p99",
        "ms",
        target=at_most(2000),
    ),
    *(
        Figure(
            f"workers.{medium}.{count}",
            SCALING,
            f"{medium} to a sink that takes 50 ms, {count} worker{'s' if count > 1 else ''}",
            "messages/s",
            (f"workers.{medium}.1",) if count > 1 else (),
            share(3.5) if count == 4 else None,
        )
        for medium in ("email", "webhook")
        for count in (1, 2, 4)
    ),
    *(
        Figure(f"recipients.{count}", SCALING, f"one event, {count:,} by mail", _MAILS)
        for count in FULL.recipients
    ),
    *_memory(),
    *_costs(),
    Figure("raw.mail", CEILINGS, "Django's EmailMessage, built and sent", _MAILS),
    Figure("raw.mail.html", CEILINGS, "Django's EmailMultiAlternatives, built and sent", _MAILS),
    Figure("raw.mail.ready", CEILINGS, "ready bytes by smtplib", _MAILS),
    Figure("raw.mail.sink", CEILINGS, "the mail sink, by its CPU time", _MAILS),
    Figure("raw.post", CEILINGS, "signed posts by urllib3, keep-alive", "posts/s"),
    Figure("raw.post.sink", CEILINGS, "the web sink, by its CPU time", "posts/s"),
    Figure("raw.tasks", CEILINGS, "Celery tasks that do nothing, two solo workers", "tasks/s"),
    Figure(
        "raw.tasks.likewise",
        CEILINGS,
        "the same, consumed as ours are (prefork, task events)",
        "tasks/s",
    ),
    Figure("raw.page", CEILINGS, "a page that does nothing, same gunicorn", "requests/s"),
    Figure("raw.events", CEILINGS, "bulk_create of events by 100", "rows/s"),
    Figure("raw.events.each", CEILINGS, "the same, an event", "ms"),
    Figure("raw.deliveries", CEILINGS, "bulk_create of deliveries by 1,000", "rows/s"),
    Figure("raw.commit.p50", CEILINGS, "one event inserted and committed, p50", "ms"),
)
BY_KEY = {figure.key: figure for figure in FIGURES}
