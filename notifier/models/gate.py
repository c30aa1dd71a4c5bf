"""Gates: what is closed for a time, so that nothing behind it is tried meanwhile."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifier.models.delivery import REASONS
from notifier.models.destination import DestinationConfig


class Gate(models.Model):
    """A medium, one of its hosts, or one destination: closed until a time, or for good by an operator.

    One time here holds back any number of deliveries, which keep their own `due_at`. A medium that
    has no hosts of its own (`host` is empty) is its own host. A missing row is an open gate.

    Of a medium or a host it is also the circuit breaker: closed while `trips` is 0, else open until
    `closed_until` and half open from then on: one message may try.
    """

    medium = models.CharField(max_length=50)
    host = models.CharField(max_length=255, blank=True, default="")
    destination = models.OneToOneField(
        DestinationConfig, on_delete=models.CASCADE, null=True, blank=True, related_name="gate"
    )
    closed_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=24, choices=REASONS, blank=True, default="")
    paused = models.BooleanField(
        default=False, help_text="Closed by an operator, until an operator opens it."
    )
    failures = models.PositiveIntegerField(
        default=0, help_text="In a row; of a destination: how often in a row it was gone."
    )
    trips = models.PositiveSmallIntegerField(
        default=0, help_text="How often in a row the breaker has opened."
    )
    probe_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until then the one that tries has time."
    )
    window_until = models.DateTimeField(null=True, blank=True, editable=False)
    window_failed = models.PositiveIntegerField(default=0, editable=False)
    window_total = models.PositiveIntegerField(default=0, editable=False)
    changed = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("medium", "host", "destination")
        constraints = (
            models.UniqueConstraint(
                fields=("medium", "host"),
                condition=models.Q(destination=None),
                name="gate_of_host_unique",
            ),
        )

    def __str__(self) -> str:
        if self.destination_id:
            return f"{self.medium}, destination {self.destination_id}"
        return f"{self.medium}, {self.host}" if self.host else self.medium
