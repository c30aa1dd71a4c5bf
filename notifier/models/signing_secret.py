"""What a source signs its posts with."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifier.media.webhook import new_secret
from notifier.models.source import Source
from notifier.sealing import reseal, seal, unseal


class SigningSecret(models.Model):
    """A secret of Standard Webhooks, encrypted at rest; several at once allow rotation without a gap.

    Not hashed, as a token is: whoever verifies a signature needs the secret itself.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="signing_secrets")
    sealed = models.JSONField(editable=False)
    prefix = models.CharField(
        max_length=12, editable=False, help_text="How the secret starts, to recognise it."
    )
    created = models.DateTimeField(db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created", "-pk")

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @classmethod
    def issue(cls, source: Source) -> str:
        """Make a secret for a source and return it: the only time it can be seen."""
        secret = new_secret()
        row = cls(source=source, prefix=secret[:10])
        row.sealed = seal({"secret": secret}, None, row._row)
        row.save()
        return secret

    @property
    def secret(self) -> str:
        """Open it; raise `SettingsUnreadable`."""
        return str(unseal(self.sealed, self._row)["secret"])

    def resealed(self) -> dict[str, object] | None:
        """Return what `sealed` would be now; None where it is so. Raise `SettingsUnreadable`."""
        return reseal(self.sealed, None, self._row)

    @property
    def _row(self) -> str:
        return f"signing secret of source {self.source_id}"
