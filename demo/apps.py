"""The app of `notifier demo`: no models, one command."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Offers the command."""

    name = "demo"
