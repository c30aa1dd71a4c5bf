"""What sources sign their posts with, for operators."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.db.models.functions import Now
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.operations import Id, Operations
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.rights import found
from notifier.api.sources import CHANGE, VIEW
from notifier.models import SigningSecret, Source

operations = Operations("sources")


class ShownSecret(BaseModel):
    """A signing secret of a source, without itself."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 2,
        "prefix": "whsec_Vq3x",
        "created": "2026-11-23T09:30:00Z",
        "revoked_at": None,
    }

    id: int
    prefix: Annotated[str, Field(description="How it starts, to recognise it.")]
    created: AwareDatetime
    revoked_at: AwareDatetime | None


class IssuedSecret(ShownSecret):
    """A signing secret of a source, and itself: the only time."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**ShownSecret.EXAMPLE, "secret": "whsec_Vq3x…"}

    secret: Annotated[str, Field(description="Keep it now; it is not shown again.")]


@operations.get(
    "/sources/{source_id}/signing-secrets",
    summary="List a source's signing secrets",
    returns=Page[ShownSecret],
    permissions=(VIEW,),
)
def list_signing_secrets(
    request: CallerRequest, source_id: Id, asked: Query[Paging]
) -> Page[ShownSecret]:
    """List a source's signing secrets, those too that are revoked."""
    rows, following = page_by_id(request, _secrets(source_id), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post(
    "/sources/{source_id}/signing-secrets",
    summary="Issue a signing secret for a source",
    returns=IssuedSecret,
    permissions=(CHANGE,),
)
def issue_signing_secret(request: CallerRequest, source_id: Id) -> IssuedSecret:
    """Make one more secret for a source to sign its posts with, shown in this answer only.

    Several are valid at once, so that one can be exchanged for another without a gap.
    """
    secret = SigningSecret.issue(found(Source.objects.all(), source_id))
    made = _secrets(source_id).latest("pk")
    return IssuedSecret(**_shown(made).model_dump(), secret=secret)


@operations.post(
    "/sources/{source_id}/signing-secrets/{signing_secret_id}/revoke",
    summary="Revoke a source's signing secret",
    returns=ShownSecret,
    status=200,
    permissions=(CHANGE,),
)
def revoke_signing_secret(
    request: CallerRequest, source_id: Id, signing_secret_id: Id
) -> ShownSecret:
    """Take nothing that is signed with a secret any more, from now on. It stays in the list."""
    secrets = _secrets(source_id)
    secret = found(secrets, signing_secret_id)
    secrets.filter(pk=secret.pk, revoked_at=None).update(revoked_at=Now())
    secret.refresh_from_db()
    return _shown(secret)


def _secrets(source_id: int) -> Any:
    return found(Source.objects.all(), source_id).signing_secrets.all()


def _shown(secret: SigningSecret) -> ShownSecret:
    return ShownSecret(
        id=secret.pk, prefix=secret.prefix, created=secret.created, revoked_at=secret.revoked_at
    )
