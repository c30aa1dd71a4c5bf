"""Is this process alive, and can it do its work?"""

from __future__ import annotations

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from notifier.intake import overload
from notifier.queueing import get_queue


@require_safe
def livez(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process serves requests at all."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while events can be accepted, else 503; say what each part is like.

    Redis away is no reason to refuse events: they are stored, and told when it is back. Nor is
    overload, under which critical ones are taken: another process would be no better off.
    """
    database = _database()
    ready = database == "ok"
    parts = {"database": database, "redis": _redis()}
    if ready:
        parts["backlog"] = _backlog()
    return JsonResponse(
        {"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503
    )


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return "does not answer; see DATABASE_URL"
    return "lacks migrations; run `notifier migrate`" if waiting else "ok"


def _backlog() -> str:
    try:
        seen = overload.watch.backlog()
    except Error:  # gone within the last millisecond; the next answer says so
        return "unknown"
    return str(seen) if seen.too_long else "ok"


def _redis() -> str:
    try:
        get_queue().lengths()
    except ConnectionError:
        return "does not answer; see REDIS_URL. Events are stored, and sent when it is back"
    return "ok"
