"""Who may post events, and with which token."""

from __future__ import annotations

import hashlib
import secrets

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from notifier.models.level import Level

# No colon: an event's id is made from "source:source_event_id".
SOURCE_NAME = RegexValidator(
    r"^[\w][\w .@/-]*\Z",
    "A source's name holds letters, digits, spaces and . _ - / @ only, and starts with a letter or digit.",
)

_NOTHING = models.Value({}, models.JSONField())
SHORTEST_HEARTBEAT_S, LONGEST_HEARTBEAT_S = 10, 31 * 86_400


class Source(models.Model):
    """A web application, a monitoring system, a cron job: whatever posts events."""

    name = models.CharField(max_length=100, unique=True, validators=[SOURCE_NAME])
    type = models.CharField(
        max_length=50,
        default="app",
        help_text="The kind of system, such as app, alertmanager or cron; filters can ask for it.",
    )
    # Database defaults too: during an upgrade, processes of the version before make sources.
    default_level = models.PositiveSmallIntegerField(
        choices=Level,
        default=Level.MODERATE,
        db_default=Level.MODERATE,
        help_text="Of what comes in a monitoring system's format and says no severity that we know.",
    )
    mapping = models.JSONField(
        default=dict,
        db_default=_NOTHING,
        blank=True,
        help_text="How this source's own JSON is read: field of an event → JMESPath expression.",
    )
    limits = models.JSONField(
        default=dict,
        db_default=_NOTHING,
        blank=True,
        help_text="What it may post over HTTP; empty: what the site takes from anybody.",
    )
    base_url = models.URLField(
        max_length=2048,
        blank=True,
        default="",
        db_default="",
        help_text="What completes the addresses of details that come by Argus's API without a host.",
    )
    heartbeat_interval = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[
            MinValueValidator(SHORTEST_HEARTBEAT_S),
            MaxValueValidator(LONGEST_HEARTBEAT_S),
        ],
        help_text="Seconds within which it gives a sign of life; empty: none is expected.",
    )
    last_heartbeat = models.DateTimeField(null=True, blank=True, editable=False)
    heartbeat_since = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since when signs of life are waited for without a break of our own.",
    )
    silent_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its silence was told."
    )
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="source_default_level",
                condition=models.Q(default_level__gte=1, default_level__lte=5),
            ),
            models.CheckConstraint(
                name="source_name_given",
                condition=~models.Q(name="") & ~models.Q(name__contains=":"),
            ),
        )

    def __str__(self) -> str:
        return self.name


class SourceToken(models.Model):
    """A source's key to the HTTP intake; several at once allow rotation without a gap.

    Kept as SHA-256 only: the token is 256 random bits, so a slow hash would buy nothing.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="tokens")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(
        max_length=12, editable=False, help_text="How the token starts, to recognise it."
    )
    created = models.DateTimeField(db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created",)

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @staticmethod
    def digest(token: str) -> str:
        """Return what is stored of a token."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def issue(cls, source: Source) -> str:
        """Make a token for a source and return it: the only time it can be seen."""
        token = f"nts_{secrets.token_urlsafe(32)}"
        cls.objects.create(source=source, sha256=cls.digest(token), prefix=token[:8])
        return token
