"""Whose time is up: the rule of what may be purged, by age and state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now

from notifier import conf
from notifier.models import Delivery, Event, QuarantinedEvent

_NO_END = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days rows are kept, by the database's clock; `failed_days` where something failed."""

    days: float
    failed_days: float

    @classmethod
    def by_settings(cls) -> Keep:
        """Return what the site's settings say."""
        return cls(conf.KEEP_DAYS(), conf.KEEP_FAILED_DAYS())

    @property
    def since(self) -> CombinedExpression:
        """The moment after which everything is kept."""
        return Now() - dt.timedelta(days=self.days)

    @property
    def failed_since(self) -> CombinedExpression:
        """The moment after which what failed is kept."""
        return Now() - dt.timedelta(days=max(self.days, self.failed_days))


def purgeable_events(keep: Keep) -> QuerySet[Event]:
    """Return the events that may go with all their deliveries, the oldest first.

    Their time is up: they came, and the last of their deliveries ended, long enough ago. One that
    waits, or has a delivery that does, is kept, whatever its age.

    What an incident's earlier deliveries mean for its end (`delivering.ordering`) stays as it is:
    nothing goes while the incident is open, and after that only round by round, a round being what
    lies between two moments at which it was closed. A round goes as a whole, and after those
    before it.
    """
    end_of_round = (
        Event.objects.filter(
            incident=OuterRef(OuterRef("incident")),
            sequence__gte=OuterRef(OuterRef("sequence")),
            open=False,
        )
        .order_by("sequence")
        .values("sequence")[:1]
    )
    kept_until_then = Event.objects.filter(
        _kept(keep),
        incident=OuterRef("incident"),
        sequence__lte=Coalesce(Subquery(end_of_round), _NO_END),
    )
    return (
        Event.objects.filter(received__lt=keep.since)
        .exclude(_kept(keep))
        .filter(Q(incident=None) | (Q(incident__open=False) & ~Exists(kept_until_then)))
        .order_by("received", "pk")
    )


def purgeable_refusals(keep: Keep) -> QuerySet[QuarantinedEvent]:
    """Return the refused events that somebody dealt with long enough ago; the others wait."""
    return QuarantinedEvent.objects.filter(resolved_at__lt=keep.failed_since).order_by("pk")


def _kept(keep: Keep) -> Q:
    """Say of an event by itself that it is not yet over, or not for long enough."""
    deliveries = Delivery.objects.filter(event=OuterRef("pk")).filter(
        Q(finished_at=None)
        | Q(finished_at__gte=keep.since)
        | Q(state=Delivery.State.FAILED, finished_at__gte=keep.failed_since)
    )
    return (
        Q(state=Event.State.ACCEPTED)
        | Q(received__gte=keep.since)
        | Q(state=Event.State.QUARANTINED, received__gte=keep.failed_since)
        | Q(Exists(deliveries))
    )
