"""Where a message goes, as media and Argus's plugins read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldError

from notifier.media.names import Name


@dataclass(frozen=True, slots=True)
class Medium:
    """What `destination.media` offers, as Argus's plugins read it."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Destination:
    """One recipient of a send: what a medium may know of a user's `DestinationConfig`.

    `message_key` is the same in every try of the same delivery: build Message-IDs and
    idempotency keys from it. Two are equal when their keys are. `language` and `time_zone` are its
    owner's (empty: the site's), `template` is the owner's own text in place of the description.
    """

    message_key: str
    pk: int = field(compare=False)
    media: Medium = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False, repr=False)
    label: str = field(compare=False, repr=False)
    username: str = field(compare=False)
    language: str = field(default="", compare=False)
    time_zone: str = field(default="", compare=False)
    template: str = field(default="", compare=False, repr=False)

    @property
    def media_id(self) -> str:
        """The medium's slug."""
        return self.media.slug

    @property
    def id(self) -> int:
        """The same as `pk`."""
        return self.pk

    @property
    def user(self) -> Name:
        """The owner's name, which has a `username`."""
        return Name(self.username)


T = TypeVar("T")


class Destinations(Generic[T]):
    """A few destinations, in memory, that answer like Django's QuerySet of them.

    So plugins filter them as they do in Argus, without a query: by attributes and keys, such as
    `media__slug`, `settings__webhook` or `pk__in`.
    """

    def __init__(self, destinations: Iterable[T]) -> None:
        self._all = tuple(destinations)

    def __iter__(self) -> Iterator[T]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> T:
        return self._all[index]

    def all(self) -> Destinations[T]:
        """Return them all."""
        return self

    def filter(self, **lookups: Any) -> Destinations[T]:
        """Return those for which every lookup holds; raise `FieldError` for one of no such name."""
        return Destinations(each for each in self._all if _holds(each, lookups))

    def exclude(self, **lookups: Any) -> Destinations[T]:
        """Return the others."""
        return Destinations(each for each in self._all if not _holds(each, lookups))

    def exists(self) -> bool:
        """Whether there is any."""
        return bool(self._all)

    def count(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def first(self) -> T | None:
        """Return the first, or None."""
        return self._all[0] if self._all else None


def _holds(destination: object, lookups: Mapping[str, Any]) -> bool:
    return all(_matches(destination, lookup, wanted) for lookup, wanted in lookups.items())


def _matches(destination: object, lookup: str, wanted: Any) -> bool:
    path, _, last = lookup.rpartition("__")
    match last:
        case "in" if path:
            return bool(_value(destination, path) in wanted)
        case "exact" if path:
            return bool(_value(destination, path) == wanted)
    return bool(_value(destination, lookup) == wanted)


def _value(found: Any, path: str) -> Any:
    for name in path.split("__"):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif hasattr(found, name):
            found = getattr(found, name)
        else:
            raise FieldError(
                f"{path}: destinations can be filtered by pk, media_id, media__slug, label, "
                "user__username and settings__<key>, each also with __in."
            )
    return found
