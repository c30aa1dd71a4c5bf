"""Test messages to a person's own destinations, and what became of them."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.operations import Id, Operations
from notifier.api.owning import own
from notifier.api.problems import Refused
from notifier.delivering.testing import Trial, send_test
from notifier.errors import TooManyTests
from notifier.models import Delivery

operations = Operations("destinations")


class ShownStage(BaseModel):
    """How far a test has come."""

    name: Annotated[
        str,
        Field(
            description=(
                "accepted, queued, claimed; then sent, failed or cancelled, or deferred, to be claimed "
                "again."
            )
        ),
    ]
    at: AwareDatetime
    reason: str
    answer: Annotated[str, Field(description="What the other side said.")]
    again_at: AwareDatetime | None


class ShownTest(BaseModel):
    """A test message, and its stages until now."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 17,
        "note": "",
        "stages": [
            {
                "name": "accepted",
                "at": "2026-11-23T09:30:00Z",
                "reason": "",
                "answer": "",
                "again_at": None,
            }
        ],
    }

    id: Annotated[int, Field(description="Of its delivery.")]
    note: Annotated[str, Field(description="What to know of the destination, such as: disabled.")]
    stages: list[ShownStage]


@operations.post(
    "/destinations/{destination_id}/test",
    summary="Send a test to a destination",
    returns=ShownTest,
    status=202,
    refuses=(409,),
)
def test_destination(request: CallerRequest, destination_id: Id) -> ShownTest:
    """Send a test message to one of your destinations, by the path that every message takes.

    It is tried for an hour at most. The answer comes at once; ask for the test again to see how it
    goes. `NOTIFIER_TEST_RATE` bounds how many you may ask for.
    """
    user = request.auth.user
    try:
        trial = send_test(own(user.destinations.all(), destination_id), by=user)
    except TooManyTests as error:
        wait_s = max(1, math.ceil(error.retry_after_s))
        raise Refused(429, "Too fast", str(error), headers={"Retry-After": str(wait_s)}) from error
    except ImproperlyConfigured as error:
        raise Refused(409, "No such medium", "This site has its medium no more.") from error
    return _shown(trial)


@operations.get("/tests/{test_id}", summary="Show a test", returns=ShownTest)
def get_test(request: CallerRequest, test_id: Id) -> ShownTest:
    """Show how far one of your test messages has come."""
    tests = Delivery.objects.filter(user=request.auth.user, kind=Delivery.Kind.TEST)
    return _shown(Trial(own(tests, test_id).pk))


def _shown(trial: Trial) -> ShownTest:
    return ShownTest(
        id=trial.delivery_id,
        note=trial.note,
        stages=[
            ShownStage(
                name=stage.name,
                at=stage.at,
                reason=stage.reason or "",
                answer=stage.answer,
                again_at=stage.again_at,
            )
            for stage in trial.stages()
        ],
    )
