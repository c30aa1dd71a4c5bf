"""How a site is, and what of it is held back; for operators."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.db.models import Count, Q
from django.db.models.functions import Now
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.operations import Operations
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused
from notifier.api.strict import Given
from notifier.delivering import gating, waiting
from notifier.delivering.sweeping import HEARTBEAT
from notifier.diagnosing import diagnose
from notifier.errors import Problem, Reason
from notifier.media.registry import all_media
from notifier.models import Delivery, Gate, Heartbeat
from notifier.queueing import get_queue

operations = Operations("operating")

LOOK = ("notifier.view_heartbeat",)


class ShownGate(BaseModel):
    """Whether a medium, or one of its hosts, is held back."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "medium": "email",
        "host": "",
        "paused": True,
        "closed_until": None,
        "reason": None,
        "failures": 0,
        "trips": 0,
    }

    medium: str
    host: Annotated[str, Field(description="Empty: all of the medium.")]
    paused: Annotated[bool, Field(description="By an operator, until an operator resumes it.")]
    closed_until: AwareDatetime | None
    reason: Annotated[Reason | None, Field(description="Why it closed by itself.")]
    failures: Annotated[int, Field(description="In a row.")]
    trips: Annotated[int, Field(description="How often in a row its breaker has opened.")]


class AskedGates(Paging):
    """Which gates are listed."""

    closed: Annotated[
        bool, Field(description="Only those that are paused, closed now, or on trial.")
    ] = False


class NamedGate(Given):
    """A medium, or one of its hosts."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"medium": "email"}

    medium: Annotated[str, Field(max_length=50, description="Such as `email`.")]
    host: Annotated[
        str, Field(max_length=255, description="One host of it; left out: all of it.")
    ] = ""


class Waiting(BaseModel):
    """How much waits that could be worked on now, and since when."""

    count: int
    oldest: AwareDatetime | None


class MediumState(BaseModel):
    """What waits for a medium."""

    medium: str
    due: Annotated[Waiting, Field(description="What could be sent now; none while held back.")]
    pending: Annotated[int, Field(description="All that is to be sent, now or later.")]
    paused: bool


class QueueLength(BaseModel):
    """How many messages wait in a queue: nudges, of which one stands for any number of rows."""

    queue: str
    messages: int


class SiteState(BaseModel):
    """What waits where."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "swept": "2026-11-23T09:30:00Z",
        "events": {"count": 0, "oldest": None},
        "media": [
            {
                "medium": "email",
                "due": {"count": 2, "oldest": "2026-11-23T09:29:59Z"},
                "pending": 5,
                "paused": False,
            }
        ],
        "queues": [{"queue": "events", "messages": 0}],
    }

    swept: Annotated[
        AwareDatetime | None,
        Field(description="When the sweep ran last; each second, where all is well."),
    ]
    events: Annotated[Waiting, Field(description="Events to be matched.")]
    media: list[MediumState]
    queues: Annotated[
        list[QueueLength] | None, Field(description="Null while Redis can't be reached.")
    ]


class ShownFinding(BaseModel):
    """One thing looked at."""

    subject: str
    well: bool
    sentence: str


class Diagnosis(BaseModel):
    """Whether anything is stuck."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "well": True,
        "findings": [{"subject": "sweep", "well": True, "sentence": "last ran 0.4 s ago"}],
    }

    well: bool
    findings: list[ShownFinding]


@operations.get("/queues", summary="Show what waits", returns=SiteState, permissions=LOOK)
def get_queues(request: CallerRequest) -> SiteState:
    """Show how much waits, where, and since when."""
    pending = Delivery.objects.filter(state=Delivery.State.PENDING).order_by()
    counts = dict(pending.values_list("medium").annotate(Count("pk")))
    paused = Gate.objects.filter(paused=True, host="", destination=None)
    held = set(paused.values_list("medium", flat=True))
    return SiteState(
        swept=Heartbeat.objects.filter(name=HEARTBEAT).values_list("at", flat=True).first(),
        events=_waiting(waiting.events()),
        media=[
            MediumState(
                medium=slug,
                due=_waiting(waiting.deliveries(slug)),
                pending=counts.get(slug, 0),
                paused=slug in held,
            )
            for slug in all_media()
        ],
        queues=_lengths(),
    )


@operations.get(
    "/diagnosis", summary="Say whether anything is stuck", returns=Diagnosis, permissions=LOOK
)
def get_diagnosis(request: CallerRequest) -> Diagnosis:
    """Look at everything that `notifier doctor` looks at; it takes a second."""
    findings = [ShownFinding(**each.as_dict()) for each in diagnose()]
    return Diagnosis(well=all(each.well for each in findings), findings=findings)


@operations.get(
    "/gates", summary="List gates", returns=Page[ShownGate], permissions=("notifier.view_gate",)
)
def list_gates(request: CallerRequest, asked: Query[AskedGates]) -> Page[ShownGate]:
    """List what of the media and their hosts is, or was, held back; what is not listed never was."""
    rows = Gate.objects.filter(destination=None)
    if asked.closed:
        rows = rows.filter(Q(paused=True) | Q(closed_until__gt=Now()) | Q(trips__gt=0))
    found, following = page_by_id(request, rows, asked)
    return Page(items=[_shown(each) for each in found], next=following)


@operations.post(
    "/gates/pause",
    summary="Hold a medium back",
    returns=ShownGate,
    status=200,
    permissions=("notifier.change_gate",),
)
def pause_gate(request: CallerRequest, body: NamedGate) -> ShownGate:
    """Hold a medium, or one of its hosts, back: nothing is lost, it waits until it is resumed.

    What is being sent just now goes on.
    """
    _check(body)
    gating.pause(body.medium, body.host)
    return _shown(_gate(body))


@operations.post(
    "/gates/resume",
    summary="Let a medium go on",
    returns=ShownGate,
    status=200,
    permissions=("notifier.change_gate",),
)
def resume_gate(request: CallerRequest, body: NamedGate) -> ShownGate:
    """Open a gate, whoever or whatever closed it: an operator, a limit, a breaker."""
    _check(body)
    gating.resume(body.medium, body.host)
    return _shown(_gate(body))


def _check(named: NamedGate) -> None:
    if named.medium not in all_media():
        known = ", ".join(all_media())
        raise Refused.invalid(
            Problem("medium", f"there is no medium {named.medium!r}; there are {known}")
        )


def _gate(named: NamedGate) -> Gate:
    rows = Gate.objects.filter(medium=named.medium, host=named.host, destination=None)
    return rows.first() or Gate(medium=named.medium, host=named.host)


def _shown(gate: Gate) -> ShownGate:
    return ShownGate(
        medium=gate.medium,
        host=gate.host,
        paused=gate.paused,
        closed_until=gate.closed_until,
        reason=Reason(gate.reason) if gate.reason else None,
        failures=gate.failures,
        trips=gate.trips,
    )


def _waiting(found: waiting.Waiting) -> Waiting:
    return Waiting(count=found.count, oldest=found.oldest)


def _lengths() -> list[QueueLength] | None:
    try:
        lengths = get_queue().lengths()
    except ConnectionError:
        return None
    return [QueueLength(queue=name, messages=count) for name, count in lengths.items()]
