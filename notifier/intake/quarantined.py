"""What was refused, dealt with by people: tried again, or given up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from notifier.intake.ingesting import ingest
from notifier.models import QuarantinedEvent


def try_again(rows: Iterable[QuarantinedEvent]) -> Counter[str]:
    """Post payloads as they came; return counts of `accepted`, `repeated` and `quarantined`.

    What is refused again gets a row with the new reason. A row that somebody dealt with meanwhile
    is left alone.
    """
    counts: Counter[str] = Counter(accepted=0, repeated=0, quarantined=0)
    for row in rows:
        with transaction.atomic():
            if give_up(QuarantinedEvent.objects.filter(pk=row.pk)):
                counts.update(ingest(_payload(row), str(row.event_id)))
    return counts


def give_up(rows: QuerySet[QuarantinedEvent]) -> int:
    """Mark rows as dealt with, and return how many weren't before; they stay."""
    return rows.filter(resolved_at=None).update(resolved_at=Now())


def _payload(row: QuarantinedEvent) -> object:
    try:
        return json.loads(row.payload)
    except ValueError:
        return row.payload  # cut off when it was kept: refused again, with that as the reason
