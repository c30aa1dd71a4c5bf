"""Registers every page of the admin."""

from notifier.admin import api_tokens, deliveries, events, gates, people, sources, statistics

__all__ = ["api_tokens", "deliveries", "events", "gates", "people", "sources", "statistics"]
