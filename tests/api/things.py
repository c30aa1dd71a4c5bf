"""What the generated tests ask for: a thing for each parameter of a path, and whose an operation is.

Whoever adds an operation adds here what its path names; the tests fail until then.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from notifier.api.document import operations_of
from notifier.delivering.dispatching import delivery_of
from notifier.delivering.testing import send_test
from notifier.intake.accepting import accept
from notifier.intake.ingesting import ingest
from notifier.intake.schema import parse_event
from notifier.matching.destinations import told_by
from notifier.models import (
    ApiToken,
    Delivery,
    DestinationConfig,
    Event,
    QuarantinedEvent,
    SigningSecret,
    Source,
    SourceToken,
)
from tests.api.test_document import DOCUMENT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MARK = "anna's own"
"""Stands in whatever is Anna's, and nowhere else."""


def add_destination(anna: User) -> Any:
    return DestinationConfig.objects.create(
        user=anna, media_id="sms", label=MARK, settings={"phone_number": "+4790909090"}
    ).pk


def add_test(anna: User) -> int:
    return send_test(anna.destinations.get(managed=True), by=anna).delivery_id


def new_profile(by: User) -> dict[str, Any]:
    return {
        "name": "new",
        "timeslot": by.timeslots.get().pk,
        "filters": [by.notifier_filters.get().pk],
        "destinations": [by.destinations.get().pk],
    }


def _event(anna: User) -> Event:
    """Accept the start of an incident that nobody but Anna may see."""
    source, _ = Source.objects.get_or_create(name="Annas")
    sent = {"description": MARK, "incident_key": uuid.uuid4().hex, "recipients": ["anna"]}
    [accepted] = accept([parse_event(sent)], source)
    return Event.objects.get(pk=accepted.id)


def _delivery(anna: User) -> Delivery:
    """Make one that failed, and may be sent again."""
    row = delivery_of(_event(anna), told_by(anna.destinations.get(managed=True)), timezone.now())
    row.state, row.reason, row.finished_at = Delivery.State.FAILED, "timeout", timezone.now()
    row.save()
    return row


def _source() -> Source:
    return Source.objects.get_or_create(name=MARK.replace("'", ""))[0]


def _source_token() -> SourceToken:
    source = _source()
    SourceToken.issue(source)
    return source.tokens.latest("pk")


def _signing_secret() -> SigningSecret:
    source = _source()
    SigningSecret.issue(source)
    return source.signing_secrets.latest("pk")


def _refusal() -> QuarantinedEvent:
    ingest({"description": MARK}, uuid.uuid4().hex)
    return QuarantinedEvent.objects.latest("pk")


THINGS: dict[str, Callable[[User], Any]] = {
    "destination_id": add_destination,
    "filter_id": lambda anna: anna.notifier_filters.create(name=MARK).pk,
    "medium": lambda _anna: "email",
    "profile_id": lambda anna: (
        anna.notification_profiles.create(name=MARK, timeslot=anna.timeslots.get()).pk
    ),
    "test_id": add_test,
    "timeslot_id": lambda anna: anna.timeslots.create(name=MARK).pk,
    "delivery_id": lambda anna: _delivery(anna).pk,
    "event_id": lambda anna: str(_event(anna).pk),
    "incident_id": lambda anna: _event(anna).incident_id,
    "refusal_id": lambda _anna: _refusal().pk,
    "source_id": lambda _anna: _source().pk,
    "source_token_id": lambda _anna: _source_token().pk,
    "signing_secret_id": lambda _anna: _signing_secret().pk,
    "token_id": lambda anna: ApiToken.issue(anna, name=MARK, scopes=["read"])[0].pk,
}
"""For each parameter of a path: makes a thing of Anna's and returns its id."""

BODIES: dict[str, Callable[[User], Any]] = {"make_profile": new_profile}
"""By operation: a body that names things of the person who sends it, where the example's don't exist."""

SOURCES_OWN = {
    *("post_events", "post_heartbeat", "post_detected", "post_signed", "post_notifier"),
    *("post_alertmanager", "post_grafana", "post_cloudevents", "post_pagerduty"),
    *("post_standard_webhooks", "post_mapped"),
}
"""Operations that a source asks for, with its own token: persons' open none of them."""

HANDSHAKES = {"allow_detected", "allow_cloudevents"}
"""Operations that want no token, and do nothing."""

EVERYBODYS = {"list_media", "get_medium"}
"""Operations that show everybody the same."""

OPERATORS_OWN = {
    *("ack_incident", "close_incident", "reopen_incident"),
    *("list_sources", "make_source", "get_source", "change_source", "delete_source"),
    *("list_source_tokens", "issue_source_token", "revoke_source_token"),
    *("list_signing_secrets", "issue_signing_secret", "revoke_signing_secret"),
    *("list_failed_deliveries", "replay_failed_deliveries"),
    *("list_refused_events", "get_refused_event", "retry_refused_events"),
    *("dismiss_refused_events", "retry_unmatched_events"),
    *("get_queues", "get_diagnosis", "list_gates", "pause_gate", "resume_gate"),
}
"""Operations that want the scope `operate` and Django's permissions."""

PERSONS = [
    (path, method, operation)
    for path, method, operation in operations_of(DOCUMENT)
    if operation["operationId"] not in SOURCES_OWN | HANDSHAKES | OPERATORS_OWN
]


def example_of(operation: dict[str, Any]) -> Any:
    """Return the first example of an operation's body."""
    media = operation["requestBody"]["content"]["application/json"]
    return (
        media["example"] if "example" in media else next(iter(media["examples"].values()))["value"]
    )


def request_of(
    operation: dict[str, Any], path: str, *, by: User, anna: User
) -> tuple[str, Any, dict[str, str]]:
    """Return path, body and headers of a request of somebody for things of Anna's; it breaks no rule."""
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(THINGS[each["name"]](anna)))
    body = None
    if "requestBody" in operation:
        make = BODIES.get(operation["operationId"])
        body = make(by) if make else example_of(operation)
    guarded = any(each["name"] == "If-Match" for each in operation.get("parameters", ()))
    return path, body, {"If-Match": "*"} if guarded else {}
