"""The HTTP API, version 1; its description is at `/api/v1/openapi.json`."""

from __future__ import annotations

from importlib.metadata import version

from notifier.api import (
    api_tokens,
    destination_tests,
    destinations,
    events,
    filters,
    heartbeats,
    media,
    preferences,
    problems,
    profiles,
    reports,
    timeslots,
)
from notifier.api.document import Api
from notifier.api.strict import StrictParser
from notifier.intake.schema import EventIn

api = Api(
    title="Notifier",
    version=version("notifier-worker"),
    description="Post events; see and change who is told of them, where and when.",
    urls_namespace="notifier-v1",
    parser=StrictParser(),
    models=(EventIn,),
)
problems.connect(api)
for router in (events.router, heartbeats.router, reports.router):
    api.add_router("", router)
for module in (
    *(media, destinations, destination_tests, timeslots, filters, profiles),
    *(preferences, api_tokens),
):
    api.add_router("", module.operations.router)

urls = problems.guarded(api.urls)
