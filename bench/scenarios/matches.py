"""Matching alone: the compiled index, at 10 to 100,000 profiles."""

from __future__ import annotations

from bench import matching
from bench.filling import empty
from bench.site import Site
from bench.sizes import Size


def measure(site: Site, size: Size) -> dict[str, float]:
    """Return µs per event, bytes per profile and seconds to load, for each number of profiles."""
    found: dict[str, float] = {}
    for count in size.profiles:
        empty(site)
        found |= {
            f"matching.{count}.{key}": value for key, value in matching.measure(count).items()
        }
    return found
