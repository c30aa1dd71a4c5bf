"""What a source proves itself with, as operators see it: issued, listed, revoked, never shown again."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from django.db.models import QuerySet
from django.db.models.functions import Now
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.rights import found
from notifier.models import SigningSecret, SourceToken


class Credential(BaseModel):
    """What is shown of one, which is all but itself."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 5,
        "prefix": "nts_Vq3x",
        "created": "2026-11-23T09:30:00Z",
        "revoked_at": None,
    }

    id: int
    prefix: Annotated[str, Field(description="How it starts, to recognise it.")]
    created: AwareDatetime
    revoked_at: AwareDatetime | None

    @classmethod
    def of(cls, row: SourceToken | SigningSecret, **itself: str) -> Self:
        """Return a row as it is shown; `itself` is the credential, where it has just been made."""
        return cls(
            id=row.pk, prefix=row.prefix, created=row.created, revoked_at=row.revoked_at, **itself
        )


Itself = Annotated[str, Field(description="Keep it now; it is not shown again.")]
"""The credential, in the one answer that has it."""


def revoke(rows: QuerySet[Any], pk: int) -> Any:
    """Revoke one from now on, unless it is; return its row."""
    row = found(rows, pk)
    rows.filter(pk=row.pk, revoked_at=None).update(revoked_at=Now())
    row.refresh_from_db()
    return row
