"""Messages from templates: found by source, type or level; overridden by a site's own files.

`notifier/email/body.txt` may stand beside more special ones, and the first that exists is taken::

    notifier/email/body.source-<slug>.txt
    notifier/email/body.type-<STA, END, …>.txt
    notifier/email/body.level-<1 to 5>.txt
    notifier/email/body.txt
"""

from __future__ import annotations

import copy
import functools
import logging
import re
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template import Node, Origin, Template, TemplateDoesNotExist, engines
from django.template.base import Token
from django.template.loader import select_template
from django.utils.text import slugify

from notifier.errors import Reason, TemporaryError
from notifier.texts import shorten

if TYPE_CHECKING:
    from notifier.models import Event

log = logging.getLogger(__name__)

LONGEST_SLUG = 100
"""Characters of a source's name that count: a file's name has at most 255 bytes."""
RETRY_BROKEN_S = 300.0
"""Seconds until a message whose template is broken is tried again."""

_used: ContextVar[list[str] | None] = ContextVar("used templates", default=None)


def candidates(medium_slug: str, part: str, event: Event) -> list[str]:
    """Return the names of the templates that may be meant, the most special first.

    `part` is a file's name, such as `body.txt`. Names from data become slugs: no event can name
    another file.
    """
    return _candidates(medium_slug, part, event.source.name, event.type, event.level)


def _candidates(medium_slug: str, part: str, source: str, kind: str, level: int) -> list[str]:
    stem, dot, ending = f"notifier/{medium_slug}/{part}".rpartition(".")
    marks = {"source": _slug(source), "type": _slug(kind).upper(), "level": _slug(str(level))}
    special = [f"{stem}.{key}-{mark}{dot}{ending}" for key, mark in marks.items() if mark]
    return [*special, f"{stem}{dot}{ending}"]


def _template(medium_slug: str, part: str, event: Event) -> Any:
    # while somebody develops them, templates are looked for each time
    find = _find.__wrapped__ if settings.DEBUG else _find
    return find(tuple(engines.all()), medium_slug, part, event.source.name, event.type, event.level)


@functools.lru_cache(maxsize=1024)
def _find(_engines: Hashable, *what: Any) -> Any:
    """Return the template; the engines, which tests exchange, only tell one site's from another's."""
    return select_template(_candidates(*what))


@functools.lru_cache(maxsize=1024)
def _slug(name: str) -> str:
    return slugify(re.sub(r"[./@]", "-", name))[:LONGEST_SLUG]


def render(
    medium_slug: str,
    part: str,
    event: Event,
    extra: Mapping[str, Any] | None = None,
    *,
    limit: int | None = None,
    fits: Callable[[str], bool] | None = None,
) -> str:
    """Fill the template of a medium's part, in the language and time zone that are active.

    It sees `event`, `incident` (None for a stateless event) and what is in `extra`. Where it has
    more than `limit` characters, or does not `fit`, the end of the event's description is left out,
    and nothing else. Raises
    `TemporaryError` with `Reason.TEMPLATE` where the template is broken; the log says at which line.
    """

    def fill(description: str) -> str:
        shown = event if description == event.description else described(event, description)
        return str(template.render({"event": shown, "incident": event.incident, **(extra or {})}))

    try:
        template = _template(medium_slug, part, event)
        text = shorten(
            fill,
            event.description,
            fits or (lambda text: limit is None or len(text.strip()) <= limit),
        )
    except Exception as error:  # a site's templates and tags may raise anything
        raise _broken(error, candidates(medium_slug, part, event)[-1]) from error
    if (used := _used.get()) is not None:
        used.append(template.origin.name)
    return text


def described(event: Event, description: str) -> Event:
    """Return a copy of an event that says something else, never to be saved."""
    event = copy.copy(event)
    event.description = description
    return event


@contextmanager
def watch() -> Iterator[list[str]]:
    """Yield a list that the files of the templates which are rendered meanwhile are added to."""
    used: list[str] = []
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)


def _broken(error: Exception, name: str) -> TemporaryError:
    """Log where a template is broken, and return the error that its deliveries wait with."""
    origin, token = _place(error)
    # while a template is filled, an error's own text may quote the event
    parsing = hasattr(error, "token")
    said = getattr(error, "raw_error_message", str(error)) if parsing else type(error).__name__
    # the name of a missing template may come from the event, too
    if isinstance(error, TemplateDoesNotExist) and token and str(error) in token.contents:
        said = f"{said}: {error}"
    place = f", line {token.lineno}" if token else ""
    log.error("template %s%s: %s", origin.name if origin else name, place, said)
    answer = f"template {str(origin.template_name) if origin else name}{place}: {said}"
    return TemporaryError(Reason.TEMPLATE, answer, retry_after=RETRY_BROKEN_S)


def _place(error: BaseException) -> tuple[Origin | None, Token | None]:
    """Return the innermost template that an error came through, and the tag there."""
    origin: Origin | None = None
    token: Token | None = None
    if isinstance(error, TemplateDoesNotExist) and error.__cause__:
        error = error.__cause__  # Django raises it anew, and the way to it is lost
    for frame, _ in traceback.walk_tb(error.__traceback__):
        match frame.f_locals.get("self"):
            case Template() as template:
                origin = template.origin
            case Node(token=Token() as tag, origin=found):
                origin, token = found, tag
    return origin, getattr(error, "token", token)  # what Django's parser was at
