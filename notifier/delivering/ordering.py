"""What an incident's earlier deliveries mean for its later ones.

That they leave in order is the claim's business (`claiming.due_deliveries`); here is what an end
is worth to somebody who was never told of the start.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    starts = (
        Delivery.objects.filter(
            destination__in={each.destination_id for each in ends},
            incident__in={each.incident_id for each in ends},
            event__type__in=Event.OPENING,
        )
        .order_by("sequence")
        .values_list("destination", "incident", "sequence", "state")
    )
    orphans: dict[int, bool] = {}
    for destination, incident, sequence, state in starts:
        for end in ends:
            thread = (end.destination_id, end.incident_id)
            if thread == (destination, incident) and (sequence or 0) < (end.sequence or 0):
                orphans[end.pk] = state in _NOT_SENT  # the last start before the end decides
    return {pk for pk, orphaned in orphans.items() if orphaned}
