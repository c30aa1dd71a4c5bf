"""What an incident's earlier deliveries mean for its later ones.

That they leave in order is the claim's business (`claiming.due_deliveries`); here is what an end
is worth to somebody who was never told of the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from notifier.errors import Reason
from notifier.models import Delivery, Event

_NOT_SENT = (Delivery.State.FAILED, Delivery.State.CANCELLED)


def ends_without_start(deliveries: Sequence[Delivery]) -> set[int]:
    """Return the ids of ends whose start was due at the same destination and was not sent.

    Where the start was never due there, the end follows the destination's own filters. One query,
    and only where there is an end.
    """
    ends = [each for each in deliveries if each.event.type in Event.CLOSING]
    if not ends:
        return set()
    earlier = (
        Delivery.objects.filter(
            destination__in={each.destination_id for each in ends},
            incident__in={each.incident_id for each in ends},
            event__type__in=Event.OPENING | Event.CLOSING,
        )
        .order_by("sequence")
        .exclude(reason=Reason.UNCLEAR)  # it may have been told
        .values_list("destination", "incident", "sequence", "event__type", "state")
    )
    return {end.pk for end in ends if _start_was_missed(end, earlier)}


def _start_was_missed(end: Delivery, earlier: Iterable[tuple[Any, ...]]) -> bool:
    told = missed = False
    for destination, incident, sequence, kind, state in earlier:
        thread = (destination, incident) == (end.destination_id, end.incident_id)
        if not thread or sequence >= (end.sequence or 0):
            continue
        if kind in Event.OPENING:
            told = told or state == Delivery.State.SENT
            missed = missed or state in _NOT_SENT
        elif state == Delivery.State.SENT:
            told = missed = False  # that round is over
    return missed and not told
