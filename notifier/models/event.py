"""What happened: events, the incidents they belong to, and what had to be refused."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import pgettext_lazy

from notifier.ids import new_event_id
from notifier.models.level import Level
from notifier.models.source import Source

__all__ = ["Event", "Incident", "IngestTry", "Level", "QuarantinedEvent"]


class Incident(models.Model):
    """The thread that a source's events belong to.

    One that is neither open nor ended is stateless: it was over as it began, and cannot end.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="incidents")
    incident_key = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    details_url = models.URLField(max_length=2048, blank=True)
    level = models.PositiveSmallIntegerField(choices=Level)
    start_time = models.DateTimeField()
    end_time = models.DateTimeField(null=True, blank=True)
    open = models.BooleanField(default=True)
    acked = models.BooleanField(default=False)
    ack_expires = models.DateTimeField(
        null=True, blank=True, help_text="When it counts as acknowledged no more; empty: never."
    )
    # a database default too: during an upgrade, processes of the version before make incidents
    ticket_url = models.URLField(max_length=2048, blank=True, default="", db_default="")
    last_sequence = models.PositiveIntegerField(
        default=0, editable=False, help_text="Sequence of the event accepted last."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("source", "incident_key"), name="incident_key_unique"),
            models.CheckConstraint(
                name="incident_level", condition=models.Q(level__gte=1, level__lte=5)
            ),
        )
        indexes = (
            models.Index(fields=("source", "-start_time", "-id"), name="incident_of_source_newest"),
            models.Index(
                fields=("-id",), condition=models.Q(open=True), name="incident_open_newest"
            ),
            models.Index(
                fields=("ack_expires",),
                condition=models.Q(ack_expires__isnull=False),
                name="incident_ack_expires",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source}: {self.incident_key}"

    @property
    def stateful(self) -> bool:
        """Whether it can end."""
        return self.open or self.end_time is not None


class Event(models.Model):
    """An immutable fact; only the columns of its dispatch ever change."""

    class Type(models.TextChoices):
        """Argus's event types."""

        START = "STA", pgettext_lazy("event type", "start")
        END = "END", pgettext_lazy("event type", "end")
        CHANGE = "CHI", pgettext_lazy("event type", "change")
        RESTART = "RES", pgettext_lazy("event type", "restart")
        CLOSE = "CLO", pgettext_lazy("event type", "close")
        REOPEN = "REO", pgettext_lazy("event type", "reopen")
        ACKNOWLEDGE = "ACK", pgettext_lazy("event type", "acknowledge")
        OTHER = "OTH", pgettext_lazy("event type", "other")
        STATELESS = "LES", pgettext_lazy("event type", "stateless")

    class State(models.TextChoices):
        """How far the event has come; `late` is a start that was accepted after its own end."""

        ACCEPTED = "accepted"
        DISPATCHED = "dispatched"
        LATE = "late"
        QUARANTINED = "quarantined"

    OPENING = frozenset({Type.START, Type.RESTART, Type.REOPEN})
    CLOSING = frozenset({Type.END, Type.CLOSE})
    DESCRIBING = OPENING | {Type.CHANGE, Type.STATELESS}
    """The newest of these says what its incident's tags and metadata are."""

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="events")
    source_event_id = models.CharField(max_length=255, blank=True)
    body_sha256 = models.CharField(
        max_length=64, editable=False, help_text="Tells a repeat from another event of the same id."
    )
    type = models.CharField(max_length=3, choices=Type)
    level = models.PositiveSmallIntegerField(choices=Level)
    description = models.TextField()
    tags = models.JSONField(default=list, help_text='["key=value", …]')
    timestamp = models.DateTimeField()
    received = models.DateTimeField(db_default=Now(), editable=False)
    details_url = models.URLField(max_length=2048, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    recipients = models.JSONField(
        null=True, blank=True, help_text="Usernames; empty: whoever's profile matches."
    )
    expires = models.DateTimeField(null=True, blank=True)
    traceparent = models.CharField(max_length=55, blank=True)

    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, null=True, blank=True, related_name="events"
    )
    sequence = models.PositiveIntegerField(
        null=True, blank=True, help_text="Order of acceptance within the incident."
    )
    open = models.BooleanField(
        null=True,
        blank=True,
        help_text="Whether this event left its incident open; empty: it is stateless.",
    )
    acked = models.BooleanField(null=True, blank=True)

    state = models.CharField(max_length=11, choices=State, default=State.ACCEPTED)
    dispatch_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    dispatched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("incident", "sequence"), name="event_sequence_unique"),
            models.CheckConstraint(
                name="event_level", condition=models.Q(level__gte=1, level__lte=5)
            ),
            models.CheckConstraint(
                name="event_incident_and_state",
                condition=models.Q(incident=None, sequence=None, type="LES", open=None, acked=None)
                | (
                    models.Q(incident__isnull=False, sequence__isnull=False, acked__isnull=False)
                    & (models.Q(open=None) | ~models.Q(type="LES"))
                ),
            ),
            models.CheckConstraint(
                name="event_state_known",
                condition=models.Q(state__in=("accepted", "dispatched", "late", "quarantined")),
            ),
        )
        indexes = (
            # dispatch claims by these two; both hold only what waits
            models.Index(
                fields=("level", "received"),
                condition=models.Q(state="accepted"),
                name="event_waiting",
            ),
            models.Index(
                fields=("incident", "sequence"),
                condition=models.Q(state="accepted"),
                name="event_waiting_in_incident",
            ),
            models.Index(fields=("-received",), name="event_newest"),
        )

    def __str__(self) -> str:
        return f"{self.get_type_display()}: {self.description[:80]}"

    def get_level_display(self) -> str:  # type: ignore[no-redef] # Django leaves it to us then
        """Return the level's name; Django's own translates all names to find one."""
        return str(_LEVELS.get(self.level, self.level))

    def get_type_display(self) -> str:  # type: ignore[no-redef]
        """Return the type's name, likewise."""
        return str(_TYPES.get(self.type, self.type))

    @property
    def is_late(self) -> bool:
        """Whether this start left its incident closed: it came after its own end."""
        return self.type == self.Type.START and self.open is False


_LEVELS = dict(Level.choices)
_TYPES = dict(Event.Type.choices)


class QuarantinedEvent(models.Model):
    """What a queue brought that is no event: kept, with the reason, so that it can be mended."""

    event_id = models.UUIDField(
        default=new_event_id, editable=False, help_text="The event's id, once it is accepted."
    )
    source_name = models.CharField(max_length=255, blank=True)
    payload = models.TextField(help_text="As it came, in ASCII JSON where it could be read.")
    reason = models.TextField()
    received = models.DateTimeField(db_default=Now(), editable=False)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-received",)
        indexes = (models.Index(fields=("-received",), name="quarantined_newest"),)

    def __str__(self) -> str:
        return f"{self.source_name or '?'}: {self.reason[:80]}"


class IngestTry(models.Model):
    """How often a queue's message brought an event again: its process died while storing it.

    Only for messages that come again; the row goes when the event is stored, or set aside.
    """

    event_id = models.UUIDField(primary_key=True, editable=False)
    returns = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.event_id}: {self.returns}"
