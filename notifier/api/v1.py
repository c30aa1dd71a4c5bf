"""The HTTP API, version 1; its description is at `/api/v1/openapi.json`."""

from __future__ import annotations

from importlib.metadata import version

from ninja import NinjaAPI

from notifier.api import events, heartbeats, problems, reports

api = NinjaAPI(title="Notifier", version=version("notifier-worker"), urls_namespace="notifier-v1")
problems.connect(api)
api.add_router("", events.router)
api.add_router("", heartbeats.router)
api.add_router("", reports.router)
