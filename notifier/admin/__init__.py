"""Registers every page of the admin."""

from notifier.admin import deliveries, events, people, sources

__all__ = ["deliveries", "events", "people", "sources"]
