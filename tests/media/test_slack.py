"""Slack: what is posted, and what its answers mean."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivering.sending import deliver
from notifier.errors import Reason
from notifier.media.base import Status
from notifier.media.slack import SlackNotification
from notifier.models import Delivery, DestinationConfig, Source
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

MEDIUM = SlackNotification()
PATH = f"/services/T0001/B0001/{SECRET}"
URL = f"https://hooks.slack.com{PATH}"


def problem(body: Any) -> str:
    """Return the word with which Slack refuses a body, by its documented limits; or none."""
    blocks = body.get("blocks", [])
    headers = [each["text"] for each in blocks if each["type"] == "header"]
    texts = [each["text"] for each in blocks if each["type"] == "section" and "text" in each]
    lists = [each["fields"] for each in blocks if "fields" in each]
    fields = [field for each in lists for field in each]
    sizes = [(headers, 150), (texts, 3000), (fields, 2000)]
    fine = (
        0 < len(blocks) <= 50
        and all(0 < len(each) <= 10 for each in lists)
        and all(0 < len(each["text"]) <= most for group, most in sizes for each in group)
        and all(each["type"] == "plain_text" for each in headers)
    )
    if not body.get("text"):
        return "no_text"
    return "" if fine else "invalid_blocks"


def slack() -> Any:
    """Return a server that answers as Slack documents; a second message comes too fast for it."""
    turns = itertools.count(1)

    def judge(request: Request) -> tuple[int, str, bytes]:
        if not request.headers["content-type"].startswith("application/json"):
            return 400, "", b"invalid_payload"
        if word := problem(json_of(request)):
            return 400, "", word.encode()
        if next(turns) > 1:
            return 429, "Retry-After: 1", b"rate_limited"
        return 200, "", b"ok"

    return provider(judge)


def rendered(**columns: Any) -> Any:
    return json_of(Request("", {}, MEDIUM.render(an_event(**columns)), 0))


def texts_of(body: Any) -> list[str]:
    """Return every text that Slack shows."""
    blocks = body["blocks"]
    shown = [each["text"]["text"] for each in blocks if "text" in each]
    fields = [field["text"] for each in blocks for field in each.get("fields", [])]
    return [body["text"], *shown, *fields]


def test_slack_takes_the_message(receiver: Site) -> None:
    receiver.script = {PATH: (slack(),)}
    outcome = send(MEDIUM, an_event(stateful=True), {"url": receiver.url(PATH)})
    assert (outcome.status, outcome.answer) == (Status.SENT, "HTTP 200 ok")


def test_a_message_has_a_fallback_a_header_the_text_the_facts_and_the_link() -> None:
    body = rendered(stateful=True, actor="anna")
    assert texts_of(body) == [
        "High · start · shop: Link to core-2 is down",
        "🟠 High · start · shop",
        "Link to core-2 is down",
        "<https://nms.example.org/1?a=1&amp;b=2|Details>",
        "Time: Nov. 23, 2026 12:30:00 UTC",
        "Incident: core-1:ge-0/0/1, since Nov. 23, 2026 12:30:00 UTC",
        "By: anna",
        "Tags: host=core-1, site=oslo",
    ]
    assert body["unfurl_links"] is body["unfurl_media"] is False


def test_a_stateless_event_speaks_of_no_incident() -> None:
    shown = texts_of(rendered(details_url="", tags=[]))
    assert shown[1:] == [
        "🟠 High · shop",
        "Link to core-2 is down",
        "Time: Nov. 23, 2026 12:30:00 UTC",
    ]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text_and_in_its_limits(receiver: Site, text: str) -> None:
    receiver.script = {PATH: (slack(),)}
    event = hostile_event(text)
    assert send(MEDIUM, event, {"url": receiver.url(PATH)}).answer == "HTTP 200 ok"
    body = json_of(receiver.requests[0])
    event.details_url = ""
    for shown in texts_of(json_of(Request("", {}, MEDIUM.render(event), 0))):
        assert not re.search(r"[<>\0\x1b\x07\x85\r\u202e\ud800]", shown)
        assert not re.search(r"&(?!(amp|lt|gt);)", shown)
    markup = [each for each in body["blocks"] if each.get("text", {}).get("type") == "mrkdwn"]
    assert [each["text"]["text"] for each in markup] == [
        "<https://nms.example.org/1?a=1&amp;b=2|Details>"
    ]


@given(st.text(), st.text(max_size=255))
def test_any_text_makes_a_message_that_slack_takes(text: str, short: str) -> None:
    event = an_event(stateful=True, description=text * 50, actor=short, tags=[f"k={short}"] * 64)
    event.source.name = short
    assert problem(json_of(Request("", {}, MEDIUM.render(event), 0))) == ""


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("javascript:alert(1)", []),
        (
            "https://a.example/|x> <!channel>",
            ["<https://a.example/%7Cx&gt; &lt;!channel&gt;|Details>"],
        ),
        (f"https://a.example/{'x' * 3000}", []),
    ],
)
def test_a_link_leads_to_a_web_address_and_nowhere_else(url: str, link: list[str]) -> None:
    sections = [each for each in rendered(details_url=url)["blocks"] if "text" in each]
    assert [each["text"]["text"] for each in sections if each["text"]["type"] == "mrkdwn"] == link


@pytest.mark.parametrize(
    ("status", "word", "reason"),
    [
        (400, "invalid_payload", Reason.REJECTED),
        (400, "user_not_found", Reason.REJECTED),
        (403, "action_prohibited", Reason.REJECTED),
        (403, "invalid_token", Reason.GONE),
        (403, "team_disabled", Reason.GONE),
        (404, "channel_not_found", Reason.GONE),
        (404, "no_service", Reason.GONE),
        (404, "no_team", Reason.GONE),
        (410, "channel_is_archived", Reason.GONE),
        (429, "rate_limited", Reason.RATE_LIMITED),
        (500, "rollup_error", Reason.SERVER_ERROR),
    ],
)
def test_slacks_word_is_the_answer(receiver: Site, status: int, word: str, reason: Reason) -> None:
    receiver.script = {PATH: (answer(status, "Retry-After: 30", body=f"{word}\n".encode()),)}
    outcome = send(MEDIUM, an_event(), {"url": receiver.url(PATH)})
    assert (outcome.reason, outcome.answer) == (reason, f"HTTP {status} {word}")
    temporary = status in {429, 500}
    assert outcome.status is (Status.TEMPORARY if temporary else Status.PERMANENT)
    assert outcome.retry_after_s == (30.0 if temporary else None)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, "<html>Not Found</html>", Reason.REJECTED),
        (404, f"no such URL: {URL}", Reason.REJECTED),
        (404, SECRET, Reason.REJECTED),
        (410, "", Reason.GONE),
        (503, "no_service", Reason.SERVER_ERROR),
    ],
)
def test_what_is_no_word_of_slacks_is_not_repeated(
    receiver: Site, status: int, body: str, reason: Reason
) -> None:
    receiver.script = {PATH: (answer(status, body=body.encode()),)}
    outcome = send(MEDIUM, an_event(), {"url": receiver.url(PATH)})
    word = " no_service" if body == "no_service" else ""
    assert (outcome.reason, outcome.answer) == (reason, f"HTTP {status}{word}")
    assert SECRET not in repr(outcome)


def test_too_fast_is_told_with_the_time_to_wait(receiver: Site) -> None:
    receiver.script = {PATH: (slack(),)}
    outcomes = [send(MEDIUM, an_event(), {"url": receiver.url(PATH)}) for _ in range(2)]
    assert [(each.reason, each.retry_after_s) for each in outcomes] == [
        (None, None),
        (Reason.RATE_LIMITED, 1.0),
    ]


def test_two_at_once_are_sent_at_slacks_pace(
    receiver: Site, anna: User, source: Source, posting_media: None, limiter: RedisLimiter
) -> None:
    receiver.script = {PATH: (answer(200, body=b"ok"),)}
    for _ in range(2):
        add_row(anna, source, MEDIUM, {"url": receiver.url(PATH)})
    wait_until(
        lambda: (
            deliver("slack", worker="me", limiter=limiter)["sent"]
            and not Delivery.objects.exclude(state="sent")
        ),
        timeout_s=20,
        what="the second message",
    )
    first, *_, last = receiver.requests
    assert last.at_s - first.at_s > 0.5  # less than a second: this machine may be busy


@pytest.mark.parametrize("word", ["no_service", "channel_is_archived"])
def test_a_webhook_that_is_gone_is_disabled(
    receiver: Site,
    anna: User,
    source: Source,
    posting_media: None,
    limiter: RedisLimiter,
    *,
    word: str,
) -> None:
    receiver.script = {PATH: (answer(404, body=word.encode()),)}
    add_row(anna, source, MEDIUM, {"url": receiver.url(PATH)})
    assert deliver("slack", worker="me", limiter=limiter)["failed"] == 1
    assert DestinationConfig.objects.get(media_id="slack").disabled_reason == "gone"


@pytest.mark.parametrize("host", ["hooks.slack.com", "hooks.slack-gov.com", "HOOKS.slack.com:443"])
def test_an_incoming_webhook_is_taken(host: str) -> None:
    cleaned = MEDIUM.validate_settings({"url": f"https://{host}/services/T0001/B0001/{SECRET}"})
    assert cleaned == {
        "url": f"https://{host.lower().removesuffix(':443')}/services/T0001/B0001/{SECRET}"
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/workflows/T0001/A0001/1/x",
        "https://hooks.slack.com/triggers/T0001/1/x",
        "https://hooks.slack.com/services/T0001/B0001",
        "https://hooks.slack.com/services/T0001/B0001/x/../../y",
        "https://hooks.slack.com.evil.example/services/T0001/B0001/x",
        "https://hooks-slack.com/services/T0001/B0001/x",
        "https://app.slack.com/client/T0001/C0001",
    ],
)
def test_other_urls_are_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(ValidationError, match="Features > Incoming Webhooks") as refused:
        MEDIUM.validate_settings({"url": url})
    assert url not in str(refused.value)


def test_the_label_holds_the_ids_and_not_the_secret() -> None:
    assert MEDIUM.get_label(DestinationConfig(settings={"url": URL})) == "Slack T0001/B0001"
    assert MEDIUM.get_label(DestinationConfig(settings={})) == "Slack"
