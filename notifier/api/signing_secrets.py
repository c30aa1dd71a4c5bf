"""What sources sign their posts with, for operators."""

from __future__ import annotations

from typing import Any, ClassVar

from ninja import Query

from notifier.api.callers import CallerRequest
from notifier.api.credentials import Credential, Itself, revoke
from notifier.api.operations import Id, Operations
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.rights import found
from notifier.api.sources import CHANGE, VIEW
from notifier.models import SigningSecret, Source

operations = Operations("sources")


class ShownSecret(Credential):
    """A signing secret of a source, without itself."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**Credential.EXAMPLE, "prefix": "whsec_Vq3x"}


class IssuedSecret(ShownSecret):
    """A signing secret of a source, and itself: the only time."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**ShownSecret.EXAMPLE, "secret": "whsec_Vq3x…"}

    secret: Itself


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
    return Page(items=[ShownSecret.of(each) for each in rows], next=following)


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
    return IssuedSecret.of(_secrets(source_id).latest("pk"), secret=secret)


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
    return ShownSecret.of(revoke(_secrets(source_id), signing_secret_id))


def _secrets(source_id: int) -> Any:
    return found(Source.objects.all(), source_id).signing_secrets.all()
