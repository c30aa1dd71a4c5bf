"""Texts that Argus has objects for: what names something, and a tag."""

from __future__ import annotations

from typing import Self


class Name(str):
    """A name that is also what it names: `source.type.name`, `event.actor.username`.

    Where it is empty, those are `otherwise`.
    """

    name: str
    username: str

    def __new__(cls, text: str, otherwise: str = "") -> Self:
        """Make one of a text."""
        made = super().__new__(cls, text)
        made.name = made.username = text or otherwise
        return made


class Tag(str):
    """A tag `key=value`, with its two parts."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """What stands before the first `=`."""
        return self.partition("=")[0]

    @property
    def value(self) -> str:
        """What stands behind it."""
        return self.partition("=")[2]

    @property
    def representation(self) -> str:
        """The text itself."""
        return str(self)
