"""What templates load as `{% load notifier %}`."""

from __future__ import annotations

from django import template

from notifier.placeholders import written
from notifier.texts import cut

register = template.Library()
register.filter("written", written)


@register.filter
def shortened(text: object, most: int) -> str:
    """Return a text of at most so many characters; unlike `truncatechars` it splits no grapheme."""
    return cut(str(text), most)
