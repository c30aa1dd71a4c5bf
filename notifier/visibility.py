"""Who may look at which events and incidents.

An event without recipients is nobody's in particular: any user's filter may ask for it, so any user
may look at it. One that names recipients is for these alone, and for who was told of it all the
same, such as by a test. An incident is there for who may look at one of its events; what it says is
what the last such event said.

Whoever has Django's permission to view events, or incidents, may look at all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from notifier.models import Delivery, Event, Incident

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Holds(Func):
    """Whether a column's JSON list of texts holds one."""

    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " ? "  # of PostgreSQL's jsonb

    def __init__(self, column: str, text: str) -> None:
        super().__init__(F(column), Value(text))

    def as_sqlite(self, compiler: Any, connection: Any, **_options: Any) -> Any:  # noqa: ARG002 - Django's signature
        """Unpack the list."""
        listed, listed_arguments = compiler.compile(self.source_expressions[0])
        name, name_arguments = compiler.compile(self.source_expressions[1])
        sql = f"EXISTS (SELECT 1 FROM json_each({listed}) WHERE value = {name})"  # noqa: S608 - both were compiled by Django
        return sql, (*listed_arguments, *name_arguments)


def visible_events(user: User, rows: QuerySet[Event] | None = None) -> QuerySet[Event]:
    """Return those of some events (of all) that a user may look at without any permission."""
    # no EXISTS: PostgreSQL may answer one by reading all deliveries of the user, or of everybody
    told = Subquery(Delivery.objects.filter(event=OuterRef("pk"), user=user).values("pk")[:1])
    visible = (
        Q(recipients__isnull=True)
        | Q(Holds("recipients", user.get_username()))
        | Q(IsNull(told, False))
    )
    return (Event.objects.all() if rows is None else rows).filter(visible)


def visible_incidents(user: User, rows: QuerySet[Incident] | None = None) -> QuerySet[Incident]:
    """Return the same of incidents, each as the user may know it.

    `known_by` is the id of the event that says what it is, `known_url` where to read more.
    """
    events = visible_events(user).filter(incident=OuterRef("pk")).order_by("-sequence")
    described = events.filter(type__in=Event.DESCRIBING).values("pk")
    known_by = Coalesce(Subquery(described[:1]), Subquery(events.values("pk")[:1]))
    links = events.exclude(details_url="").values("details_url")
    found = Incident.objects.all() if rows is None else rows
    return found.annotate(
        known_by=known_by, known_url=Coalesce(Subquery(links[:1]), Value(""))
    ).exclude(known_by=None)
