"""One event to one destination, and every try of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from notifier.errors import Reason
from notifier.models.destination import DestinationConfig
from notifier.models.event import Event, Incident, Level

REASONS = [(reason.value, reason.value.replace("_", " ")) for reason in Reason]


class Delivery(models.Model):
    """One event to one destination: the row that everything else is decided by.

    It carries what a claim asks for (user, medium, urgency, incident, sequence, times), so that
    claiming reads one table, and a label of its destination that outlives it.
    """

    class State(models.TextChoices):
        """`pending` → `sending` → `sent` | `failed` | back to `pending`; `cancelled`: never sent."""

        PENDING = "pending"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Kind(models.TextChoices):
        """Why the row exists."""

        NOTIFICATION = "notification"
        TEST = "test"
        RESEND = "resend"
        REMINDER = "reminder"
        DIGEST = "digest"

    # found by the constraint that begins with it, as `user` is by `delivery_of_user`
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    destination = models.ForeignKey(
        DestinationConfig, on_delete=models.SET_NULL, null=True, related_name="deliveries"
    )
    occasion = models.CharField(
        max_length=50, blank=True, help_text="Empty for the ordinary delivery of the event."
    )
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.NOTIFICATION)
    bundle = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="bundled",
        db_index=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
    )
    medium = models.CharField(max_length=50)
    destination_label = models.CharField(max_length=150, blank=True)
    host = models.CharField(
        max_length=255, blank=True, help_text="What a breaker parks; empty: the medium as a whole."
    )
    profiles = models.JSONField(default=list, help_text="Ids of the profiles that led here.")
    urgency = models.PositiveSmallIntegerField(choices=Level)
    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, null=True, blank=True, db_index=False
    )
    sequence = models.PositiveIntegerField(null=True, blank=True)

    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=24, choices=REASONS, blank=True)
    due_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(
        default=0, help_text="Times its worker died while sending this row alone."
    )
    solo = models.BooleanField(default=False, help_text="Claimed alone: its worker died before.")
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(
                fields=("event", "destination", "occasion"), name="delivery_once"
            ),
            models.CheckConstraint(
                name="delivery_state_known",
                condition=models.Q(state__in=("pending", "sending", "sent", "failed", "cancelled")),
            ),
            models.CheckConstraint(
                name="delivery_claimed_while_sending",
                condition=models.Q(
                    state="sending", claim_token__isnull=False, lease_until__isnull=False
                )
                | (~models.Q(state="sending") & models.Q(claim_token=None, lease_until=None)),
            ),
            models.CheckConstraint(
                name="delivery_end_has_time",
                condition=models.Q(
                    state__in=("sent", "failed", "cancelled"), finished_at__isnull=False
                )
                | models.Q(state__in=("pending", "sending"), finished_at=None),
            ),
            models.CheckConstraint(
                name="delivery_no_silent_end",
                condition=~models.Q(state__in=("failed", "cancelled"), reason=""),
            ),
        )
        # each state that a row passes through writes it to every index that holds it: so as few as can be
        indexes = (
            # the claim walks it: urgent first, host by host, user by user
            models.Index(
                fields=("medium", "urgency", "host", "user", "destination", "due_at", "id"),
                condition=models.Q(state="pending"),
                name="delivery_walk",
            ),
            # what nobody will ever walk to
            models.Index(
                fields=("id",),
                condition=models.Q(state="pending", destination=None),
                name="delivery_orphan",
            ),
            # the order rule: what of this incident is unfinished there?
            models.Index(
                "destination",
                "incident",
                "sequence",
                condition=models.Q(state__in=("pending", "sending"), incident__isnull=False),
                name="delivery_unfinished_before",
            ),
            # what goes with a row that others lead to
            models.Index(
                fields=("incident",),
                condition=models.Q(incident__isnull=False),
                name="delivery_of_incident",
            ),
            models.Index(
                fields=("bundle",),
                condition=models.Q(bundle__isnull=False),
                name="delivery_of_bundle",
            ),
            # loading a batch, and fencing its outcomes
            models.Index(
                fields=("claim_token",),
                condition=models.Q(state="sending"),
                name="delivery_claimed",
            ),
            # the sweep
            models.Index(
                fields=("lease_until",), condition=models.Q(state="sending"), name="delivery_lease"
            ),
            models.Index(
                fields=("expires_at",),
                condition=models.Q(state="pending", expires_at__isnull=False),
                name="delivery_expiring",
            ),
            # the dead letters, newest first
            models.Index(
                fields=("-finished_at",),
                condition=models.Q(state="failed"),
                name="delivery_failed",
            ),
            models.Index(fields=("user", "-created"), name="delivery_of_user"),
        )

    def __str__(self) -> str:
        return f"{self.medium} to {self.destination_label or self.user}: {self.state}"

    @property
    def message_key(self) -> str:
        """What a repeat of this delivery repeats: the Message-ID, the idempotency key."""
        return f"{self.event_id}.{self.pk}"


class Attempt(models.Model):
    """One try of a delivery: when, by which worker, how long, and what the other side answered."""

    class Outcome(models.TextChoices):
        """How a try ended."""

        SENT = "sent"
        TEMPORARY = "temporary"
        PERMANENT = "permanent"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    worker = models.CharField(max_length=150)
    outcome = models.CharField(max_length=9, choices=Outcome)
    reason = models.CharField(max_length=24, choices=REASONS, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ("started_at",)

    def __str__(self) -> str:
        return f"{self.number}: {self.outcome}"
