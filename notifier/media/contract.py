"""Whether a plugin keeps the contract: sentences for whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django import forms
from jsonschema import Draft202012Validator, SchemaError

from notifier.media.base import NotificationMedium
from notifier.media.calling import validates_itself

MAX_SLUG = 50


def slug_problem(plugin: type[NotificationMedium]) -> str:
    """Return what is wrong with a plugin's slug, or an empty text."""
    slug = getattr(plugin, "MEDIA_SLUG", None)
    if isinstance(slug, str) and len(slug) <= MAX_SLUG and re.fullmatch("[a-z0-9_-]+", slug):
        return ""
    given = f"{slug!r} is none" if slug is not None else "there is none"
    return (
        f"MEDIA_SLUG must hold lower-case letters, digits, hyphens and underscores, 1 to {MAX_SLUG} "
        f"of them; {given}."
    )


def problems(plugin: type[NotificationMedium]) -> Iterator[str]:
    """Yield what a plugin lacks, or has wrong: each a sentence that names the attribute."""
    if not getattr(plugin, "MEDIA_NAME", ""):
        yield "MEDIA_NAME is not set; write how people call the medium."
        return
    yield from _problems_of_sending(plugin)
    if not (isinstance(plugin.Form, type) and issubclass(plugin.Form, forms.Form)):
        yield "Form must be a Django form class: it validates a destination's settings."
        return
    try:
        Draft202012Validator.check_schema(plugin.MEDIA_JSON_SCHEMA)
    except SchemaError as error:
        yield f"MEDIA_JSON_SCHEMA is no JSON Schema: {error.message}."
        return
    known = set(plugin.MEDIA_JSON_SCHEMA.get("properties", ()))
    if not validates_itself(plugin):
        yield from _disagreements(plugin, known)
    key = getattr(plugin, "MEDIA_SETTINGS_KEY", None)
    if key not in known:
        given = (
            f"is {key!r}, which is none" if key else "is not set, and it is not clear which it is"
        )
        yield (
            f"MEDIA_SETTINGS_KEY must be the setting that holds the address; it {given}. "
            f"The settings are: {', '.join(sorted(known)) or 'none'}."
        )


def _problems_of_sending(plugin: type[NotificationMedium]) -> Iterator[str]:
    base = NotificationMedium
    if plugin.send == base.send:
        for name in ("render", "send_one"):
            if getattr(plugin, name) == getattr(base, name):
                yield f"{name}() is missing; write it, or a send() of its own."


def _disagreements(plugin: type[NotificationMedium], known: set[str]) -> Iterator[str]:
    """Compare the schema with the form, which is what validates."""
    fields = plugin.Form.base_fields
    required = {name for name, field in fields.items() if field.required}
    if odd := sorted(known ^ set(fields)):
        yield f"MEDIA_JSON_SCHEMA and Form must have the same settings; one lacks {', '.join(odd)}."
    elif odd := sorted(required ^ set(plugin.MEDIA_JSON_SCHEMA.get("required", ()))):
        yield f"MEDIA_JSON_SCHEMA and Form must require the same; one alone does {', '.join(odd)}."
