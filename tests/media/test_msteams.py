"""Microsoft Teams: the card, its size, and what a workflow's answers mean."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import hypothesis
import jsonschema
import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivering.sending import deliver
from notifier.errors import Reason
from notifier.media.base import Status
from notifier.media.msteams import MSTeamsNotification
from notifier.models import Delivery, DestinationConfig, Event, Source
from notifier.testing.scripted_http import Request, Site, answer
from servers.waiting import wait_until
from tests.media.posted import (
    HOSTILE,
    SECRET,
    add_row,
    an_event,
    hostile_event,
    json_of,
    provider,
    send,
)
from worker.rate_limits import RedisLimiter

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MEDIUM = MSTeamsNotification()
PATH = f"/workflows/7/triggers/manual/paths/invoke?api-version=1&sig={SECRET}"
MOST = 28_000
TEXT = {"type": "string", "minLength": 1}


def an_object(**properties: object) -> dict[str, object]:
    """Return the schema of an object with these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT_BLOCK = an_object(type={"const": "TextBlock"}, text=TEXT, wrap={"type": "boolean"})
HEAD = an_object(**TEXT_BLOCK["properties"], weight={"enum": ["lighter", "default", "bolder"]})  # type: ignore[arg-type] # is a dict
STYLES = {"enum": ["default", "emphasis", "good", "attention", "warning", "accent"]}
CARD = an_object(
    **{"$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"}},
    type={"const": "AdaptiveCard"},
    version={"const": "1.2"},
    body={
        "type": "array",
        "items": {
            "anyOf": [
                an_object(
                    type={"const": "Container"},
                    style=STYLES,
                    bleed={"type": "boolean"},
                    items={"type": "array", "items": HEAD},
                ),
                TEXT_BLOCK,
                an_object(
                    type={"const": "FactSet"},
                    facts={
                        "type": "array",
                        "items": an_object(title=TEXT, value={"type": "string"}),
                    },
                ),
            ]
        },
    },
    actions={
        "type": "array",
        "items": an_object(
            type={"const": "Action.OpenUrl"},
            title=TEXT,
            url={"type": "string", "pattern": "^https?://"},
        ),
    },
)
"""What adaptivecards.io/explorer says of the elements that are used."""


def card_of(body: Any) -> Any:
    """Return the card of a request, which must be one that a workflow takes."""
    assert body["type"] == "message"
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    jsonschema.validate(attachment["content"], CARD)
    return attachment["content"]


def rendered(**columns: Any) -> Any:
    return card_of(json.loads(MEDIUM.render(an_event(**columns))))


def texts_of(card: Any) -> list[str]:
    """Return every text of a card, in its order."""
    head, body, facts = card["body"]
    return [
        head["items"][0]["text"],
        body["text"],
        *(f"{each['title']}: {each['value']}" for each in facts["facts"]),
    ]


def workflow() -> Any:
    """Return a server that answers as Microsoft documents; a fifth request comes too fast for it."""
    turns = itertools.count(1)

    def judge(request: Request) -> tuple[int, str, bytes]:
        if len(request.body) > MOST:
            return 413, "", b'{"error": {"code": "RequestEntityTooLarge"}}'
        card_of(json_of(request))
        if next(turns) > 4:
            return 429, "Retry-After: 1", b""
        return 202, "", b""

    return provider(judge)


def test_a_workflow_takes_the_card(receiver: Site) -> None:
    receiver.script = {PATH: (workflow(),)}
    outcome = send(MEDIUM, an_event(stateful=True), {"url": receiver.url(PATH)})
    assert (outcome.status, outcome.answer) == (Status.SENT, "HTTP 202")
    assert receiver.requests[0].headers["content-type"] == "application/json; charset=utf-8"


def test_a_card_has_a_coloured_title_the_text_the_facts_and_the_link() -> None:
    card = rendered(stateful=True, actor="anna")
    assert texts_of(card) == [
        "High · start · shop",
        "Link to core-2 is down",
        "Time: Nov. 23, 2026 12:30:00 UTC",
        "Incident: core-1:ge-0/0/1, since Nov. 23, 2026 12:30:00 UTC",
        "By: anna",
        "Tags: host=core-1, site=oslo",
    ]
    assert card["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Details",
            "url": "https://nms.example.org/1?a=1&b=2",
        }
    ]


def test_a_stateless_event_speaks_of_no_incident() -> None:
    shown = texts_of(rendered(tags=[]))
    assert shown == ["High · shop", "Link to core-2 is down", "Time: Nov. 23, 2026 12:30:00 UTC"]


def test_the_colour_tells_the_level_and_that_it_is_over() -> None:
    styles = [rendered(level=level)["body"][0]["style"] for level in range(1, 6)]
    assert styles == ["attention", "warning", "accent", "emphasis", "default"]
    for type_ in Event.CLOSING:
        assert rendered(stateful=True, type=type_)["body"][0]["style"] == "good"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[pay](https://evil.example)", r"\[pay\](https://evil.example)"),
        ("**b** _i_ `c` ~s~", r"\*\*b\*\* \_i\_ \`c\` \~s\~"),
        (r"\[x](y)", r"\\\[x\](y)"),
        ("<at>anna</at> &lt;", r"\<at\>anna\</at\> \&lt;"),
        ("one\ntwo", "one\n\ntwo"),
        ("core-1.example.org, 5 % (3)", "core-1.example.org, 5 % (3)"),
    ],
)
def test_markdown_in_a_text_is_shown_as_it_is_written(text: str, shown: str) -> None:
    card = rendered(stateful=True, description=text, actor=text)
    assert texts_of(card)[1] == shown
    assert texts_of(card)[4] == f"By: {shown}"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text_and_in_its_limits(receiver: Site, text: str) -> None:
    receiver.script = {PATH: (workflow(),)}
    outcome = send(MEDIUM, hostile_event(text), {"url": receiver.url(PATH)})
    assert (outcome.status, outcome.answer) == (Status.SENT, "HTTP 202")
    for shown in texts_of(card_of(json_of(receiver.requests[0]))):
        assert not re.search("[\0\x1b\x07\x85\r\u202e\ud800]", shown)
        assert not re.search(r"[*\[\]<>_&]", re.sub(r"\\.", "", shown))


def test_a_long_text_is_cut_not_left_out() -> None:
    for text, least in (
        ("x" * 100_000, 5_000),
        ("ж" * 100_000, 5_000),
        ("\n" + "*" * 99_999, 2_000),
    ):
        shown = texts_of(rendered(description=text))[1]
        assert shown.endswith("…")
        assert len(shown) > least


@hypothesis.settings(deadline=None)
@given(
    st.text(min_size=1, max_size=20),
    st.integers(1, 3_000),
    st.sampled_from(["a", "é", "字", "%", "*", "🔥"]),
)
def test_no_event_makes_a_request_of_28_kb(text: str, times: int, char: str) -> None:
    event = an_event(
        stateful=True,
        description=text * times,
        actor=text * times,
        tags=[f"k={text}"] * times,
        details_url=f"https://a.example/{char * 2030}",
    )
    event.source.name = event.incident.incident_key = text * times  # type: ignore[union-attr] # is stateful
    body = MEDIUM.render(event)
    assert len(body) < MOST
    assert len(body.decode().encode("utf-16-le")) < MOST
    card_of(json.loads(body))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", f"https://a.example/{'x' * 3000}"])
def test_a_link_leads_to_a_web_address_and_nowhere_else(url: str) -> None:
    assert rendered(details_url=url)["actions"] == []


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"1", None),
        (202, b"", None),
        (400, b'{"error": {"code": "TriggerInputSchemaMismatch"}}', Reason.REJECTED),
        (401, b'{"error": {"code": "DirectApiAuthorizationRequired"}}', Reason.REJECTED),
        (404, b'{"error": {"code": "WorkflowNotFound"}}', Reason.GONE),
        (410, b"", Reason.GONE),
        (413, b"", Reason.TOO_LARGE),
        (429, b"", Reason.RATE_LIMITED),
        (502, b"returned HTTP error 413", Reason.SERVER_ERROR),
    ],
)
def test_the_status_decides(
    receiver: Site, status: int, body: bytes, reason: Reason | None
) -> None:
    receiver.script = {PATH: (answer(status, "Retry-After: 9", body=body),)}
    outcome = send(MEDIUM, an_event(), {"url": receiver.url(PATH)})
    assert (outcome.reason, outcome.answer) == (reason, f"HTTP {status}")
    assert outcome.retry_after_s == (9.0 if status in {429, 502} else None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, Reason.RATE_LIMITED), (413, Reason.TOO_LARGE), (500, Reason.SERVER_ERROR)],
)
def test_an_error_that_teams_wraps_in_a_200_is_an_error(
    receiver: Site, status: int, reason: Reason
) -> None:
    said = (
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error "
        f"{status} with ContextId tcid=0,server=x,cv=y.0"
    )
    receiver.script = {PATH: (answer(200, body=said.encode()),)}
    outcome = send(MEDIUM, an_event(), {"url": receiver.url(PATH)})
    assert (outcome.reason, outcome.answer) == (reason, f"HTTP {status}")


def test_too_fast_is_told_with_the_time_to_wait(receiver: Site) -> None:
    receiver.script = {PATH: (workflow(),)}
    outcomes = [send(MEDIUM, an_event(), {"url": receiver.url(PATH)}) for _ in range(5)]
    assert [(each.reason, each.retry_after_s) for each in outcomes] == [
        *[(None, None)] * 4,
        (Reason.RATE_LIMITED, 1.0),
    ]


def test_many_at_once_are_sent_at_teams_pace(
    receiver: Site, anna: User, source: Source, posting_media: None, limiter: RedisLimiter
) -> None:
    receiver.script = {PATH: (answer(202),)}
    for _ in range(6):
        add_row(anna, source, MEDIUM, {"url": receiver.url(PATH)})
    wait_until(
        lambda: (
            deliver("msteams", worker="me", limiter=limiter)["sent"]
            and not Delivery.objects.exclude(state="sent")
        ),
        timeout_s=20,
        what="the sixth message",
    )
    first, *_, last = receiver.requests
    assert last.at_s - first.at_s > 0.75  # less than 1.25 s: this machine may be busy


def test_a_workflow_that_is_not_found_twice_is_disabled(
    receiver: Site, anna: User, source: Source, posting_media: None, limiter: RedisLimiter
) -> None:
    receiver.script = {}
    for expected in ("", "gone"):
        add_row(anna, source, MEDIUM, {"url": receiver.url(PATH)})
        wait_until(
            lambda: deliver("msteams", worker="me", limiter=limiter)["failed"],
            timeout_s=5,
            what="the refusal",
        )
        assert DestinationConfig.objects.get(media_id="msteams").disabled_reason == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://prod-23.westeurope.logic.azure.com/workflows/7/triggers/manual/paths/invoke?sig=x",
        "https://abc.0d.environment.api.powerplatform.com/powerautomate/workflows/7?sp=%2Frun&sig=x",
        "https://hooks.example.org/teams",
    ],
)
def test_a_workflow_is_taken_wherever_it_is(url: str) -> None:
    for written in (url, url.replace(".com/", ".com:443/")):
        assert MEDIUM.validate_settings({"url": written}) == {"url": url}


@pytest.mark.parametrize(
    "host",
    [
        "outlook.office.com",
        "outlook.office365.com",
        "contoso.webhook.office.com",
        "CONTOSO.Webhook.Office.com:443",
    ],
)
def test_a_retired_connector_is_refused_with_what_to_do(host: str) -> None:
    with pytest.raises(ValidationError, match=r"retired .* Workflows") as refused:
        MEDIUM.validate_settings({"url": f"https://{host}/webhookb2/{SECRET}"})
    assert SECRET not in str(refused.value)


def test_a_host_that_only_looks_retired_is_taken() -> None:
    url = "https://mywebhook.office.com.example.org/x"
    assert MEDIUM.validate_settings({"url": url}) == {"url": url}


def test_the_label_holds_the_host_alone() -> None:
    destination = DestinationConfig(settings={"url": f"https://x.logic.azure.com{PATH}"})
    assert MEDIUM.get_label(destination) == "Microsoft Teams at x.logic.azure.com"
