"""The HTTP API, version 1; its description is at `/api/v1/openapi.json`."""

from __future__ import annotations

from importlib.metadata import version

from notifier.api import (
    api_tokens,
    dead_letters,
    deliveries,
    destination_tests,
    destinations,
    explained,
    filters,
    heartbeats,
    incidents,
    media,
    operating,
    past_events,
    preferences,
    problems,
    profiles,
    reports,
    signing_secrets,
    sources,
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
for router in (heartbeats.router, reports.router):
    api.add_router("", router)
for module in (
    past_events,  # with the way in
    *(media, destinations, destination_tests, timeslots, filters, profiles),
    *(deliveries, explained, incidents, preferences, api_tokens),
    *(sources, signing_secrets, dead_letters, operating),
):
    api.add_router("", module.operations.router)

urls = problems.guarded(api.urls)
