"""Record what this release leaves behind: `python -m tests.upgrade.record 0.2.0`, before it is released."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servers.redis import RedisServer

INSERT = re.compile(r'INSERT (?:OR IGNORE )?INTO "(notifier_\w+)" \(([^)]*)\)')


def main(release: str) -> None:
    """Write the two files of a release."""
    place = Path(__file__).parent / release
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, RedisServer(Path(directory)) as server:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"sqlite:///{directory}/recorded.sqlite3",
            "REDIS_URL": server.url,
        }
        import worker.app  # noqa: F401, PLC0415 - sets Django up, in this environment

        messages = dict(_messages(server.url))
        columns = _columns()
    (place / "messages.json").write_text(json.dumps(messages, indent=1) + "\n")
    lines = [f" {json.dumps(table)}: {json.dumps(names)}" for table, names in columns.items()]
    (place / "columns.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _messages(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    import redis  # noqa: PLC0415 - these need Django
    from celery import Celery  # noqa: PLC0415

    from notifier.client import Notifier  # noqa: PLC0415
    from notifier.ids import new_event_id  # noqa: PLC0415
    from worker.app import app  # noqa: PLC0415
    from worker.queues import CeleryQueue  # noqa: PLC0415

    client = redis.Redis.from_url(url)

    def taken(queue: str) -> dict[str, Any]:
        item = client.rpop(queue)
        assert isinstance(item, bytes)
        message: dict[str, Any] = json.loads(item)
        message["headers"]["origin"] = "notifier@host"
        return message

    Notifier(url, source="shop").send(
        "by the bare client",
        recipients=["user0"],
        type="STA",
        incident_key="i1",
        level=2,
        tags={"a": "b"},
        source_event_id="4711",
    )
    yield "ingest by the bare client", taken("events")
    event = {"source": "shop", "description": "by Celery", "recipients": ["user1"]}
    foreign = Celery("a web app", broker=url, set_as_current=False)
    foreign.send_task("notifier.ingest", [event], queue="events")
    yield "ingest by Celery", taken("events")
    queue = CeleryQueue()
    queue.dispatch([new_event_id()])
    yield "dispatch", taken("events")
    queue.deliver("email", [1, 2])
    yield "deliver", taken("media.email")
    for name, entry in app.conf.beat_schedule.items():
        app.send_task(entry["task"], **entry["options"])
        yield name, taken(entry["options"]["queue"])


def _columns() -> dict[str, list[str]]:
    """Let each kind of row be inserted once, and note by which columns."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - these need Django
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from notifier.delivering.dispatching import dispatch  # noqa: PLC0415
    from notifier.delivering.sending import deliver  # noqa: PLC0415
    from notifier.delivering.sweeping import sweep  # noqa: PLC0415
    from notifier.ids import new_event_id  # noqa: PLC0415
    from notifier.intake.ingesting import ingest  # noqa: PLC0415
    from notifier.models import Source, SourceToken  # noqa: PLC0415

    found: dict[str, list[str]] = {}

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if match := INSERT.match(sql):
            found.setdefault(match[1], re.findall(r'"(\w+)"', match[2]))
        return execute(sql, *rest)

    call_command("migrate", verbosity=0)
    event = {"description": "down", "type": "STA", "incident_key": "i1", "recipients": ["anna"]}
    with connection.execute_wrapper(note):
        User.objects.create_user("anna", email="anna@example.org")
        SourceToken.issue(Source.objects.create(name="shop"))
        ingest(event | {"source": "shop"}, str(new_event_id()))
        ingest(event | {"source": "nobody's"}, str(new_event_id()))
        dispatch()
        deliver("email", worker="w")
        sweep()
    return found


if __name__ == "__main__":
    main(sys.argv[1])
