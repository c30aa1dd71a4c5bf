"""A person's tokens: listed, made, revoked."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.moments import Written
from notifier.api.operations import Id, Operations
from notifier.api.owning import own
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.strict import Given
from notifier.models import ApiToken, Scope

operations = Operations("tokens")


class ShownToken(BaseModel):
    """A token, without itself."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 3,
        "name": "status board",
        "prefix": "ntu_Vq3x",
        "scopes": ["read"],
        "made_by": None,
        "created": "2026-11-23T09:30:00Z",
        "expires": "2027-11-23T09:30:00Z",
        "last_used": None,
        "revoked_at": None,
    }

    id: int
    name: str
    prefix: Annotated[str, Field(description="How it starts, to recognise it.")]
    scopes: list[Scope]
    made_by: Annotated[
        int | None, Field(description="The token it was made with, and is revoked with.")
    ]
    created: AwareDatetime
    expires: AwareDatetime | None
    last_used: Annotated[AwareDatetime | None, Field(description="To the minute.")]
    revoked_at: AwareDatetime | None


class IssuedToken(ShownToken):
    """A token, and itself: the only time."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**ShownToken.EXAMPLE, "token": "ntu_Vq3x…"}

    token: Annotated[str, Field(description="Keep it now; it is not shown again.")]


class NewToken(Given):
    """A token to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "name": "status board",
        "scopes": ["read"],
        "expires": "2036-11-23T09:30:00Z",
    }

    name: Annotated[str, Field(min_length=1, max_length=100, description="What it is for.")]
    scopes: Annotated[
        list[Scope],
        Field(
            min_length=1,
            max_length=len(Scope),
            description=(
                "`read`: look at what is yours; `write`: change it; `operate`: operators' work, as far "
                "as you have the permissions. None includes another."
            ),
        ),
    ]
    expires: Annotated[
        Written | None,
        Field(description="Left out: with the token that makes it, or never."),
    ] = None


@operations.get("/tokens", summary="List your tokens", returns=Page[ShownToken])
def list_tokens(request: CallerRequest, asked: Query[Paging]) -> Page[ShownToken]:
    """List your tokens, those too that opened something once."""
    rows, following = page_by_id(request, _own(request), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post("/tokens", summary="Make a token", returns=IssuedToken)
def make_token(request: CallerRequest, body: NewToken) -> IssuedToken:
    """Make a token of yours. It is shown in this answer only.

    Made with another token, it has none but that one's scopes, expires with it at the latest, and is
    revoked with it. At most 50 of your tokens are valid at once.
    """
    made, token = ApiToken.issue(
        request.auth.user,
        name=body.name,
        scopes=body.scopes,
        expires=body.expires,
        made_by=request.auth.token,
    )
    made.refresh_from_db()
    return IssuedToken(**_shown(made).model_dump(), token=token)


@operations.get("/tokens/{token_id}", summary="Show a token", returns=ShownToken)
def get_token(request: CallerRequest, token_id: Id) -> ShownToken:
    """Show one of your tokens."""
    return _shown(own(_own(request), token_id))


@operations.post(
    "/tokens/{token_id}/revoke", summary="Revoke a token", status=200, returns=ShownToken
)
def revoke_token(request: CallerRequest, token_id: Id) -> ShownToken:
    """Revoke one of your tokens, and every token that was made with it. They stay in the list."""
    token = own(_own(request), token_id)
    token.revoke()
    token.refresh_from_db()
    return _shown(token)


def _own(request: CallerRequest) -> Any:
    return request.auth.user.api_tokens.all()


def _shown(token: ApiToken) -> ShownToken:
    return ShownToken(
        id=token.pk,
        name=token.name,
        prefix=token.prefix,
        scopes=[Scope(each) for each in token.scopes],
        made_by=token.made_by_id,
        created=token.created,
        expires=token.expires,
        last_used=token.last_used,
        revoked_at=token.revoked_at,
    )
