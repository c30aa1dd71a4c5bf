"""Microsoft Teams, by the webhook of a workflow (Power Automate): an Adaptive Card."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import pgettext

from notifier.answers import Answer
from notifier.http import HTTPSession, host_of
from notifier.limits import Rate
from notifier.media.base import Destination
from notifier.media.cards import facts, link, texts
from notifier.media.posting import PostingMedium, URLField
from notifier.texts import cut

if TYPE_CHECKING:
    from notifier.models import Event

# Pages are those of https://learn.microsoft.com/microsoftteams/platform/.
MAX_TITLE = 600
MAX_BODY = 11_000
MAX_FACT = 2_000
MAX_LINK = 4_200
"""Bytes as JSON. A request has 28 KB (webhooks-and-connectors/how-to/add-incoming-webhook); it is not
said how they are counted, so each part has its share in UTF-8 and in UTF-16 alike."""

RETIRED = ("outlook.office.com", "outlook.office365.com", "webhook.office.com")
_MARKDOWN = re.compile(r"[\\`*_\[\]<>~&]")
# webhooks-and-connectors/how-to/connectors-using, “Rate limiting for connectors”
_RELAYED = re.compile(r"returned HTTP error ([45]\d\d)")
_STYLES = {1: "attention", 2: "warning", 3: "accent", 4: "emphasis", 5: "default"}


class MSTeamsNotification(PostingMedium):
    """Posts to the channel or chat that a workflow posts to.

    A site changes the texts by templates of its own: `notifier/msteams/title.txt`, `body.txt`. They
    make plain text: nothing in them is read as Markdown.
    """

    MEDIA_SLUG = "msteams"
    MEDIA_NAME = "Microsoft Teams"
    GONE_AFTER = 2  # a workflow that is being moved is not found for a while
    # webhooks-and-connectors/how-to/add-incoming-webhook: more than 4 in a second are throttled
    DESTINATION_RATE_LIMIT = (Rate(4),)

    class Form(forms.Form):
        """The URL of a workflow."""

        url = URLField(label="Workflow URL")

        def clean_url(self) -> str:
            """Refuse the URLs of what is retired; which others Microsoft has changes often."""
            url: str = self.cleaned_data["url"]
            if f".{host_of(url)}".endswith(tuple(f".{host}" for host in RETIRED)):
                raise ValidationError(
                    "Microsoft has retired this kind of webhook (Office 365 connector). Make a "
                    "workflow: in Teams, … beside the channel > Workflows > “Send webhook alerts "
                    "to a channel”, and copy its URL."
                )
            return url

    def render(self, event: Event) -> bytes:
        """Return the request's body."""
        title, body = texts(self.MEDIA_SLUG, event)
        style = "good" if event.type in event.CLOSING else _STYLES[event.level]
        head = {"type": "TextBlock", "text": _fit(title, MAX_TITLE), "wrap": True}
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.2",
            "body": [
                {
                    "type": "Container",
                    "style": style,
                    "bleed": True,
                    "items": [{**head, "weight": "bolder"}],
                },
                {"type": "TextBlock", "text": _fit(body, MAX_BODY), "wrap": True},
                {
                    "type": "FactSet",
                    "facts": [
                        {"title": name, "value": _fit(value, MAX_FACT)}
                        for name, value in facts(event)
                    ],
                },
            ],
            "actions": _actions(link(event)),
        }
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return _json({"type": "message", "attachments": [attachment]}).encode()

    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        """Post to one workflow; 202 says that it has begun."""
        headers = {"content-type": "application/json; charset=utf-8"}
        answer = session.exchange(destination.settings[self.MEDIA_SETTINGS_KEY], message, headers)
        meant = _meant(answer)
        meant.raise_for_status(gone=meant.status == HTTPStatus.NOT_FOUND)
        return str(answer)


def _meant(answer: Answer) -> Answer:
    """Return the answer with the status that its text tells of: Teams' “429” may come in a 200."""
    found = _RELAYED.search(answer.text)
    taken = answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}
    return replace(answer, status=int(found[1])) if taken and found else answer


def _actions(url: str) -> list[dict[str, str]]:
    action = {"type": "Action.OpenUrl", "title": pgettext("notification", "Details"), "url": url}
    return [action] if url and _size(url) <= MAX_LINK else []


def _fit(text: str, most: int) -> str:
    return _escape(cut(text, most, lambda part: _size(_escape(part)))) or "…"


def _escape(text: str) -> str:
    # task-modules-and-cards/cards/cards-format: texts are Markdown, and a newline takes two
    return _MARKDOWN.sub(r"\\\g<0>", text).replace("\n", "\n\n")


def _size(text: str) -> int:
    """Return the bytes of a text in JSON, in UTF-8 or UTF-16, whichever has more."""
    written = _json(text)
    return max(len(written.encode()), len(written.encode("utf-16-le")))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
