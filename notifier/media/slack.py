"""Slack, by its incoming webhooks: Block Kit, with a text for notifications."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import pgettext

from notifier.http import HTTPSession
from notifier.limits import Rate
from notifier.media.base import Destination
from notifier.media.cards import facts, link, texts
from notifier.media.posting import PostingMedium, URLField
from notifier.texts import cut

if TYPE_CHECKING:
    from notifier.models import Event

# docs.slack.dev/reference/block-kit/blocks: header-block, section-block; a section has 10 fields
MAX_HEADER = 150
MAX_SECTION = 3000
MAX_FIELD = 2000
MAX_TEXT = 500
"""Our own: of the fallback text, phones show no more."""

_WEBHOOK = re.compile(
    r"https://hooks\.slack(?:-gov)?\.com/services/(T[A-Z0-9]+)/(B[A-Z0-9]+)/[A-Za-z0-9]+"
)
GONE = frozenset(
    # docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, “Handling errors”
    (
        *("channel_is_archived", "channel_not_found", "invalid_token", "no_service"),
        *("no_service_id", "no_team", "team_disabled"),
    )
)
_WORD = re.compile(r"[a-z_]{2,40}")
"""How Slack says what was wrong; no URL, token or text of a message looks like it."""
_MARKS = {1: "🔴", 2: "🟠", 3: "🟡", 4: "🔵", 5: "⚪"}


class SlackNotification(PostingMedium):
    """Posts to the channel that an incoming webhook belongs to.

    A site changes the texts by templates of its own: `notifier/slack/title.txt`, `body.txt`. They
    make plain text: nothing in them is read as Slack's markup.
    """

    MEDIA_SLUG = "slack"
    MEDIA_NAME = "Slack"
    # docs.slack.dev/apis/web-api/rate-limits: 1 a second; of a burst, messages may get lost
    DESTINATION_RATE_LIMIT = (Rate(1),)

    class Form(forms.Form):
        """The URL of an incoming webhook."""

        url = URLField(label="Webhook URL")

        def clean_url(self) -> str:
            """Take incoming webhooks only: Slack's other URLs want other messages."""
            url: str = self.cleaned_data["url"]
            if not _WEBHOOK.fullmatch(url):
                raise ValidationError(
                    "This is no incoming webhook of Slack: it looks like "
                    "https://hooks.slack.com/services/T…/B…/…. Copy it from your Slack app, "
                    "Features > Incoming Webhooks."
                )
            return url

    @classmethod
    def get_label(cls, destination: Any) -> str:
        """Return the workspace's and the webhook's ids, which are no secrets."""
        found = _WEBHOOK.fullmatch(str(destination.settings.get(cls.MEDIA_SETTINGS_KEY, "")))
        if not found:
            return super().get_label(destination)
        return f"{cls.MEDIA_NAME} {found[1]}/{found[2]}"

    def render(self, event: Event) -> bytes:
        """Return the request's body."""
        title, body = texts(self.MEDIA_SLUG, event)
        return json.dumps(
            {
                "text": _fit(f"{title}: {body}", MAX_TEXT),
                "blocks": [
                    {"type": "header", "text": _text(f"{_MARKS[event.level]} {title}", MAX_HEADER)},
                    {"type": "section", "text": _text(body, MAX_SECTION)},
                    {
                        "type": "section",
                        "fields": [_text(f"{name}: {it}", MAX_FIELD) for name, it in facts(event)],
                    },
                    *_link(link(event)),
                ],
                # else Slack would fetch what an event's text links to
                "unfurl_links": False,
                "unfurl_media": False,
            }
        ).encode()

    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        """Post to one webhook; return or raise the word that Slack answers with."""
        headers = {"content-type": "application/json; charset=utf-8"}
        answer = session.exchange(destination.settings[self.MEDIA_SETTINGS_KEY], message, headers)
        word = answer.text.strip() if _WORD.fullmatch(answer.text.strip()) else ""
        answer.raise_for_status(word, gone=word in GONE)
        return f"{answer} {word}".rstrip()


def _text(text: str, most: int) -> dict[str, Any]:
    # plain_text: no mentions, no links, no bold in it, whatever an event says
    return {"type": "plain_text", "text": _fit(text, most) or "…", "emoji": False}


def _link(url: str) -> list[dict[str, Any]]:
    # no button: Slack would ask the app about each click, and warn the user when it has no answer
    text = f"<{_escape(url).replace('|', '%7C')}|{_escape(pgettext('notification', 'Details'))}>"
    shown = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return [shown] if url and _length(text) <= MAX_SECTION else []


def _fit(text: str, most: int) -> str:
    return _escape(cut(text, most, lambda part: _length(_escape(part))))


def _length(text: str) -> int:
    """Count as Slack's JavaScript does: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def _escape(text: str) -> str:
    # docs.slack.dev/messaging/formatting-message-text, “Escaping text”
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
