"""What is left of rows that were purged: how many there were."""

from __future__ import annotations

from django.db import models


class DailyCount(models.Model):
    """How many purged rows were alike: by the day their event was received, and what became of it.

    Names instead of keys, so that it outlives the source too. Only `notifier.retention` writes it,
    in the transaction that deletes what it counts.
    """

    class Subject(models.TextChoices):
        """What was counted."""

        EVENT = "event"
        DELIVERY = "delivery"
        ATTEMPT = "attempt"
        QUARANTINED = "quarantined"

    subject = models.CharField(max_length=11, choices=Subject)
    day = models.DateField(help_text="When the event was received, in UTC.")
    source = models.CharField(max_length=255, blank=True)
    medium = models.CharField(max_length=50, blank=True)
    state = models.CharField(
        max_length=11, help_text="The row's last state; of an attempt, its outcome."
    )
    reason = models.CharField(max_length=24, blank=True)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-day", "subject", "source", "medium", "state", "reason")
        constraints = (
            models.UniqueConstraint(
                fields=("day", "subject", "source", "medium", "state", "reason"),
                name="daily_count_unique",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.count} {self.subject}, {self.state}"
