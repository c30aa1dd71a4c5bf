"""Sources and their tokens, for operators."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from ninja import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from notifier.api.callers import CallerRequest
from notifier.api.credentials import Credential, Itself, revoke
from notifier.api.fields import of
from notifier.api.operations import Id, Operations
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused
from notifier.api.rights import found
from notifier.api.strict import Given
from notifier.api.versions import require_version
from notifier.intake.field_mapping import check_mapping
from notifier.intake.source_limits import check_limits
from notifier.models import Source, SourceToken
from notifier.models.level import Level

operations = Operations("sources")

VIEW, ADD, CHANGE, DELETE = (
    f"notifier.{each}_source" for each in ("view", "add", "change", "delete")
)


def _said(name: str) -> str:
    field: Any = Source._meta.get_field(name)
    return str(field.help_text)


class SourceFields(BaseModel):
    """What can be changed of a source; each field is the model's of the same name."""

    type: Annotated[str, of(Source, "type")] = "app"
    default_level: Annotated[StrictInt, Field(ge=1, le=5, description=_said("default_level"))] = (
        Level.MODERATE.value
    )
    mapping: Annotated[dict[str, Any], Field(description=_said("mapping"))] = {}
    limits: Annotated[dict[str, Any], Field(description=_said("limits"))] = {}
    base_url: Annotated[str, of(Source, "base_url")] = ""
    heartbeat_interval: Annotated[
        StrictInt | None, Field(ge=1, description=_said("heartbeat_interval"))
    ] = None


class NewSource(SourceFields, Given):
    """A source to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "network-monitor", "type": "nms"}

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="For good: the ids of its events are made from it.",
        ),
    ]


def _without_defaults(schema: dict[str, Any]) -> None:
    for each in schema["properties"].values():
        each.pop("default", None)


class ChangedSource(SourceFields, Given):
    """What is to be changed of a source; what is left out stays as it is."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"type": "alertmanager"}
    model_config = ConfigDict(json_schema_extra=_without_defaults)


class ShownSource(SourceFields):
    """Who may post events."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 2,
        "name": "network-monitor",
        "type": "nms",
        "default_level": 3,
        "mapping": {"description": "message", "incident_key": "check.id"},
        "limits": {"requests_per_minute": 600},
        "base_url": "",
        "heartbeat_interval": 300,
        "created": "2026-11-23T09:30:00Z",
        "silent_since": None,
    }

    id: int
    name: str
    created: AwareDatetime
    silent_since: Annotated[
        AwareDatetime | None, Field(description="Since when its signs of life are missed.")
    ]


class ShownSourceToken(Credential):
    """A token of a source, without itself."""


class IssuedSourceToken(ShownSourceToken):
    """A token of a source, and itself: the only time."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**ShownSourceToken.EXAMPLE, "token": "nts_Vq3x…"}

    token: Itself


@operations.get("/sources", summary="List sources", returns=Page[ShownSource], permissions=(VIEW,))
def list_sources(request: CallerRequest, asked: Query[Paging]) -> Page[ShownSource]:
    """List who may post events."""
    rows, following = page_by_id(request, Source.objects.all(), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post("/sources", summary="Make a source", returns=ShownSource, permissions=(ADD,))
def make_source(request: CallerRequest, body: NewSource) -> ShownSource:
    """Let something post events; over HTTP it needs a token besides, or a signing secret."""
    source = Source()
    _take(source, body)
    source.save()
    source.refresh_from_db()
    return _shown(source)


@operations.get(
    "/sources/{source_id}",
    summary="Show a source",
    returns=ShownSource,
    versioned=True,
    permissions=(VIEW,),
)
def get_source(request: CallerRequest, source_id: Id) -> ShownSource:
    """Show a source."""
    return _shown(_source(source_id))


@operations.patch(
    "/sources/{source_id}", summary="Change a source", returns=ShownSource, permissions=(CHANGE,)
)
def change_source(request: CallerRequest, source_id: Id, body: ChangedSource) -> ShownSource:
    """Change a source; its name stays."""
    source = _source(source_id, lock=True)
    require_version(request, _shown(source))
    # those alone: its signs of life come meanwhile
    source.save(update_fields=_take(source, body))
    return _shown(source)


@operations.delete(
    "/sources/{source_id}", summary="Delete a source", refuses=(409,), permissions=(DELETE,)
)
def delete_source(request: CallerRequest, source_id: Id) -> None:
    """Delete a source that has no events, with its tokens.

    One that has some is needed to tell of these: revoke its tokens, and nothing comes from it any more.
    """
    source = _source(source_id, lock=True)
    require_version(request, _shown(source))
    try:
        source.delete()
    except ProtectedError as error:
        detail = "It has events, which tell of it until they are purged: revoke its tokens instead."
        raise Refused(409, "In use", detail) from error


@operations.get(
    "/sources/{source_id}/tokens",
    summary="List a source's tokens",
    returns=Page[ShownSourceToken],
    permissions=(VIEW,),
)
def list_source_tokens(
    request: CallerRequest, source_id: Id, asked: Query[Paging]
) -> Page[ShownSourceToken]:
    """List a source's tokens, those too that are revoked."""
    rows, following = page_by_id(request, _source(source_id).tokens.all(), asked)
    return Page(items=[ShownSourceToken.of(each) for each in rows], next=following)


@operations.post(
    "/sources/{source_id}/tokens",
    summary="Issue a token for a source",
    returns=IssuedSourceToken,
    permissions=(CHANGE,),
)
def issue_source_token(request: CallerRequest, source_id: Id) -> IssuedSourceToken:
    """Make one more token for a source, shown in this answer only.

    Several are valid at once, so that one can be exchanged for another without a gap.
    """
    source = _source(source_id)
    token = SourceToken.issue(source)
    made = source.tokens.get(sha256=SourceToken.digest(token))
    return IssuedSourceToken.of(made, token=token)


@operations.post(
    "/sources/{source_id}/tokens/{source_token_id}/revoke",
    summary="Revoke a source's token",
    returns=ShownSourceToken,
    status=200,
    permissions=(CHANGE,),
)
def revoke_source_token(
    request: CallerRequest, source_id: Id, source_token_id: Id
) -> ShownSourceToken:
    """Let a token open nothing any more, from now on. It stays in the list."""
    return ShownSourceToken.of(revoke(_source(source_id).tokens.all(), source_token_id))


def _take(source: Source, body: NewSource | ChangedSource) -> set[str]:
    """Take what is given, and return its names; raise Django's `ValidationError` of the fields."""
    given = body.model_dump(exclude_unset=True)
    for name, value in given.items():
        setattr(source, name, value)
    for name, check in (("mapping", check_mapping), ("limits", check_limits)):
        try:
            check(getattr(source, name))
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from error
    source.full_clean()
    return set(given)


def _source(pk: int, *, lock: bool = False) -> Source:
    rows = Source.objects.select_for_update(no_key=True) if lock else Source.objects.all()
    return found(rows, pk)


def _shown(source: Source) -> ShownSource:
    return ShownSource(**{name: getattr(source, name) for name in ShownSource.model_fields})
