"""The media of this site, and what a destination of each is made of."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from pydantic import BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.operations import Operations
from notifier.api.problems import Refused
from notifier.media.base import NotificationMedium
from notifier.media.registry import all_media, find_medium

operations = Operations("media")


class ShownMedium(BaseModel):
    """A way of being told."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "slug": "email",
        "name": "Email",
        "own_text": True,
        "settings_schema": {
            "title": "Email settings",
            "type": "object",
            "required": ["email_address"],
            "properties": {"email_address": {"type": "string", "format": "email"}},
            "additionalProperties": False,
        },
    }

    slug: str
    name: str
    own_text: Annotated[bool, Field(description="Whether a destination may have a `template`.")]
    settings_schema: Annotated[
        dict[str, Any],
        Field(
            description=(
                "JSON Schema of a destination's `settings`. What is `writeOnly` is secret: it is kept "
                "encrypted, and shown masked."
            )
        ),
    ]


class ShownMedia(BaseModel):
    """Every medium of this site."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"items": [ShownMedium.EXAMPLE]}

    items: list[ShownMedium]


@operations.get("/media", summary="List the media", returns=ShownMedia)
def list_media(request: CallerRequest) -> ShownMedia:
    """List the media that this site sends through, each with what a destination of it is made of."""
    return ShownMedia(items=[_shown(each) for each in all_media().values()])


@operations.get("/media/{medium}", summary="Show a medium", returns=ShownMedium)
def get_medium(request: CallerRequest, medium: str) -> ShownMedium:
    """Show a medium, by its slug."""
    found = find_medium(medium)
    if found is None:
        raise Refused(404, "Not found", f"This site has no medium {medium[:80]!r}.")
    return _shown(found)


def _shown(medium: NotificationMedium) -> ShownMedium:
    return ShownMedium(
        slug=medium.MEDIA_SLUG,
        name=medium.MEDIA_NAME,
        own_text=medium.OWN_TEXT,
        settings_schema=_schema(medium),
    )


def _schema(medium: NotificationMedium) -> dict[str, Any]:
    """Return a medium's schema, with its secrets marked."""
    # a plugin's titles may be translated when they are shown
    written = json.dumps(dict(medium.MEDIA_JSON_SCHEMA), cls=DjangoJSONEncoder)
    schema: dict[str, Any] = json.loads(written)
    for name, field in schema.get("properties", {}).items():
        if medium.SECRETS is None or name in medium.SECRETS:
            field["writeOnly"] = True
    return schema
