"""Registers every page of the admin."""

from notifier.admin import deliveries, events, gates, people, sources, statistics

__all__ = ["deliveries", "events", "gates", "people", "sources", "statistics"]
