"""The log of changes that the matching index follows."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Change(models.Model):
    """Somebody's profiles, or what they rest on, changed. Written by database triggers alone.

    So it tells of every way of writing (`notifier.matching.triggers`), in the transaction that
    wrote. `notifier.matching.changes` reads it.
    """

    transaction = models.BigIntegerField(
        help_text="PostgreSQL's id of the transaction; 0 on SQLite, where writers are serial."
    )
    owner = models.TextField(  # noqa: DJ001 - empty may be somebody's key
        null=True, help_text="The user's primary key as text; null: everybody may have changed."
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=("transaction",), name="change_transaction"),)

    def __str__(self) -> str:
        return f"{self.owner or 'everybody'} at {self.at}"
