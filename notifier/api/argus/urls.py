"""Argus's API, version 2, as far as its official client uses it."""

from __future__ import annotations

from django.urls import path, re_path

from notifier.api.argus import views
from notifier.api.argus.answering import view
from notifier.api.argus.listing import list_incidents

_INCIDENT = "incidents/<int:pk>/"
_incidents = view(GET=list_incidents, POST=views.create_incident)

urlpatterns = [
    path("incidents/", _incidents),
    path("incidents/mine/", _incidents),
    path("incidents/sources/heartbeat/", view(POST=views.heartbeat)),
    path(_INCIDENT, view(GET=views.retrieve_incident, PATCH=views.change_incident)),
    path(f"{_INCIDENT}ticket_url/", view(PUT=views.set_ticket_url)),
    path(f"{_INCIDENT}events/", view(GET=views.list_events, POST=views.create_event)),
    path(f"{_INCIDENT}events/<uuid:event>/", view(GET=views.retrieve_event)),
    path(f"{_INCIDENT}acks/", view(GET=views.list_acks, POST=views.create_ack)),
    path(f"{_INCIDENT}acks/<uuid:event>/", view(GET=views.retrieve_ack)),
    re_path(
        "", view(**dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), views.anything_else))
    ),
]
