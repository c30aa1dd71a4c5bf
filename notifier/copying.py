"""Mails in bytes, copied from one that Django wrote.

Django writes a model: a letter with marks where one mail differs from the next without that being
written otherwise, such as a short subject, or a text whose lines are short enough to be sent as they
are. Whatever has a form of its own (a long subject, one with letters that need encoding) stands in
the model as it is, which then serves this letter alone.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import django
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from notifier import mailbox
from notifier.letters import Letter, domain_of

MOST_KEPT = 32
"""Letters, and models, that are kept: an event's languages, time zones and users' own texts."""
_LINE = 78
"""Characters of a header that is not folded (RFC 5322)."""
_MODERN = django.VERSION >= (6,)
_LONGEST_LINE = _LINE if _MODERN else 998
"""Bytes of a line of text that is not encoded: in Python's modern API, and in what Django had before."""

_SECRET = secrets.token_hex(8)
_SHORTEST = len(_SECRET) + 1
"""A mark is known to nobody, so it stands in no text."""
_ADDRESS = f"a{_SECRET}@example.org"
_SUBJECT = f"s{_SECRET}"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9.-]+")
_BOUNDARY = re.compile(
    rb'(?:MIME-Version: 1\.0\r\n)?Content-Type: multipart/[a-z]+;\s+boundary="(={15}[0-9]+==)"'
)
"""At the very beginning of a mail: further on, a subject may say what it likes."""

Write = Callable[[EmailMultiAlternatives], tuple[str, bytes]]
"""Returns the sender and the mail, as Django would hand a message over."""
T = TypeVar("T")


def can_be_copied(address: str, message_key: str) -> bool:
    """Whether a mail with these is written as any other: both stand in it as they are."""
    return (
        mailbox.is_plain(address)
        and len(f"To: {address}") <= _LINE
        and len(message_key) >= _SHORTEST
        and _PLAIN_KEY.fullmatch(message_key) is not None
    )


@dataclass(frozen=True, slots=True)
class Copies:
    """A letter in bytes, to whoever gets it: only the address and the Message-ID are missing."""

    sender: str
    until_address: bytes
    until_key: bytes
    rest: bytes

    def to(self, address: str, message_key: str) -> bytes:
        """Return the mail to a recipient, as Django would write it."""
        return b"".join(
            (self.until_address, address.encode(), self.until_key, message_key.encode(), self.rest)
        )


@dataclass(frozen=True, slots=True)
class _Model:
    """A mail that Django wrote, cut at its marks; every other piece is one."""

    sender: str
    pieces: list[bytes]
    boundary: bytes

    def filled(self, values: dict[bytes, bytes], key: bytes) -> Copies | None:
        if self.boundary:
            # as Python's, but nobody can have foreseen it: so it is in no text
            digits = len(self.boundary) - len(b"=" * 17)
            values[self.boundary] = b"=" * 15 + b"%0*d==" % (digits, secrets.randbelow(10**digits))
        whole = b"".join([values.get(piece, piece) for piece in self.pieces])
        until_address, to, rest = whole.partition(_ADDRESS.encode())
        until_key, message_id, rest = rest.partition(key)
        return Copies(self.sender, until_address, until_key, rest) if to and message_id else None


class Copyist:
    """Keeps what was written a moment ago: a batch's letters, and the models of them."""

    def __init__(self) -> None:
        self._copies: _Kept[Copies | None] = _Kept()
        self._models: _Kept[_Model | None] = _Kept()

    def copies(self, letter: Letter, message_key: str, write: Write) -> Copies | None:
        """Return a letter's copies, for keys as long as this one; None where they can't be had."""
        # a Date is right to the second, and how a Message-ID is folded depends on its length
        now = (len(message_key), int(time.time()))
        return self._copies.get((letter, *now), lambda: self._fill(letter.safe(), now, write))

    def _fill(self, letter: Letter, now: tuple[int, int], write: Write) -> Copies | None:
        key = _mark("k", now[0])
        marked, values = _marked(letter)
        model = self._models.get(
            (marked, *now), lambda: _model(write(marked.to(_ADDRESS, key)), {*values, key.encode()})
        )
        return model.filled(values, key.encode()) if model else None


class _Kept(Generic[T]):
    """A few values by key, made once; all are forgotten when there are too many."""

    def __init__(self) -> None:
        self._values: dict[object, T] = {}

    def get(self, key: object, make: Callable[[], T]) -> T:
        if key not in self._values:
            if len(self._values) >= MOST_KEPT:
                self._values.clear()
            self._values[key] = make()
        return self._values[key]


def _model(written: tuple[str, bytes], marks: set[bytes]) -> _Model | None:
    """Cut a mail at its marks; return None where one is not there as it was."""
    sender, mail = written
    found = _BOUNDARY.match(mail)
    boundary = found[1] if found else b""
    marks |= {_ADDRESS.encode(), *([boundary] if boundary else [])}
    pieces = re.split(b"(%b)" % b"|".join(map(re.escape, marks)), mail)
    return _Model(sender, pieces, boundary) if marks == {*pieces[1::2]} else None


def _marked(letter: Letter) -> tuple[Letter, dict[bytes, bytes]]:
    """Return a letter with marks in place of what is written as it stands, and what stands there."""
    marks: dict[str, str] = {}
    values: dict[bytes, bytes] = {}

    def mark(field: str, mark: str, value: bytes) -> None:
        marks[field] = mark
        values[mark.encode()] = value

    if _stands(letter.subject):
        mark("subject", _SUBJECT, letter.subject.encode())
    for field, initial in (("text", "t"), ("html", "h")):
        if lines := _short_lines(getattr(letter, field)):
            ascii_only = getattr(letter, field).isascii()
            mark(field, _mark(initial if ascii_only else f"{initial}\u00f8"), b"\r\n".join(lines))
    if _fits_threads(letter.thread_key):
        mark("thread_key", _mark("i", len(letter.thread_key)), letter.thread_key.encode())
    return replace(letter, **marks), values


def _mark(initial: str, length: int = _SHORTEST) -> str:
    return f"{initial}{_SECRET}".ljust(length, "0")


def _stands(subject: str) -> bool:
    return bool(subject) and subject.isascii() and len(f"Subject: {subject}") <= _LINE


def _short_lines(text: str) -> list[bytes]:
    """Return a text's lines where none has to be encoded."""
    lines = (text.removesuffix("\n") if _MODERN else text).encode().split(b"\n")
    return lines if text and max(map(len, lines)) <= _LONGEST_LINE else []


def _fits_threads(key: str) -> bool:
    header = f"In-Reply-To: <{key}@{domain_of(settings.DEFAULT_FROM_EMAIL)}>"
    return len(key) >= _SHORTEST and len(header) <= _LINE and bool(_PLAIN_KEY.fullmatch(key))
