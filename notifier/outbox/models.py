"""The outbox's table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

WAITS = Q(sent_at=None, refused_at=None)


class OutboxEvent(models.Model):
    """An event, from the transaction that it belongs to until it is posted or refused."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(
        db_index=True, help_text="What it is called by Notifier; fixed, so that repeats are known."
    )
    # JSON as it is to be posted, to the byte: jsonb has no NUL, and other numbers
    body = models.TextField()
    source = models.CharField(max_length=255)
    incident_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - NULL is none
    created = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0)
    next_try = models.DateTimeField(null=True, blank=True, help_text="Empty: at once.")
    sent_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="Why it was refused, or waits.")

    class Meta:
        verbose_name = "event to post"
        verbose_name_plural = "events to post"
        indexes: ClassVar = [
            models.Index(fields=["id"], name="notifier_outbox_waiting", condition=WAITS),
            models.Index(
                fields=["source", "incident_key", "id"],
                name="notifier_outbox_incident",
                condition=WAITS & Q(incident_key__isnull=False),
            ),
            models.Index(
                fields=["sent_at"],
                name="notifier_outbox_sent",
                condition=Q(sent_at__isnull=False),
            ),
            models.Index(
                fields=["refused_at"],
                name="notifier_outbox_refused",
                condition=Q(refused_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} of {self.source}"
