"""What templates load as `{% load notifier %}`."""

from __future__ import annotations

from django import template

from notifier.placeholders import written

register = template.Library()
register.filter("written", written)
