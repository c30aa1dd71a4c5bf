"""A person's key to the API, for their programs."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import secrets
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from notifier.models.person import lock_owner

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_LIVE = 50
"""Tokens of one user that are neither revoked nor expired."""
MOST_DEAD = 100
"""The others are shown to find out what happened; the oldest beyond so many are deleted."""
LAST_USED_STEP = dt.timedelta(minutes=1)
"""How exact `last_used` is: not every request of a busy program is a write."""


class Scope(enum.StrEnum):
    """What a token may be used for; none includes another."""

    READ = "read"
    """Look at what is its user's."""
    WRITE = "write"
    """Change that."""
    OPERATE = "operate"
    """Operators' work, each as far as its user has Django's permission for it."""


def _live() -> Q:
    return Q(revoked_at=None) & (Q(expires=None) | Q(expires__gt=timezone.now()))


class ApiToken(models.Model):
    """A key to what its user may do, narrowed by scopes; several at once allow rotation.

    Kept as SHA-256 only: the token is 256 random bits, so a slow hash would buy nothing. A token
    that was made with another one never outlives it, nor may it do more.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, help_text="What it is for, such as: status board.")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(
        max_length=12, editable=False, help_text="How the token starts, to recognise it."
    )
    scopes = models.JSONField(default=list, help_text='Of "read", "write" and "operate".')
    made_by = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, editable=False, related_name="made"
    )
    created = models.DateTimeField(db_default=Now(), editable=False)
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-created",)
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

    @property
    def is_live(self) -> bool:
        """Whether it opens anything: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires is None or self.expires > timezone.now())

    @staticmethod
    def digest(token: str) -> str:
        """Return what is stored of a token."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def find(cls, token: str) -> ApiToken | None:
        """Return a token that is live, and whose user is active, with its user; note that it is used."""
        rows = cls.objects.filter(_live(), sha256=cls.digest(token), user__is_active=True)
        found = rows.select_related("user").first()
        now = timezone.now()
        if found and (found.last_used is None or found.last_used <= now - LAST_USED_STEP):
            cls.objects.filter(pk=found.pk).update(last_used=now)
        return found

    @classmethod
    @transaction.atomic
    def issue(
        cls,
        user: User,
        *,
        name: str,
        scopes: Collection[str],
        expires: dt.datetime | None = None,
        made_by: ApiToken | None = None,
    ) -> tuple[ApiToken, str]:
        """Make a token for a user; return its row, and itself: the only time it can be seen.

        Raise `ValidationError` by field. `made_by` is the token that asks for it.
        """
        lock_owner(user)
        token = f"ntu_{secrets.token_urlsafe(32)}"
        made = cls(
            user=user,
            name=name,
            sha256=cls.digest(token),
            prefix=token[:8],
            scopes=[each for each in Scope if each in scopes],
            expires=expires,
            made_by=made_by,
        )
        made._refuse_wrong(scopes)
        made.full_clean()
        made._refuse_too_many()
        made.save()
        return made, token

    @transaction.atomic
    def revoke(self) -> None:
        """Let it open nothing any more, nor any token made with it or with one of these."""
        lock_owner(self.user)
        makers = dict(ApiToken.objects.filter(user=self.user_id).values_list("pk", "made_by"))
        revoked = {self.pk}
        while found := {pk for pk, maker in makers.items() if maker in revoked} - revoked:
            revoked |= found
        ApiToken.objects.filter(pk__in=revoked, revoked_at=None).update(revoked_at=Now())

    def _refuse_wrong(self, scopes: Collection[str]) -> None:
        if unknown := sorted(set(scopes) - set(Scope)):
            known = ", ".join(Scope)
            raise ValidationError(
                {"scopes": f"There is no scope {unknown[0]!r}; there are {known}."}
            )
        if not scopes:
            raise ValidationError({"scopes": f"Name at least one of {', '.join(Scope)}."})
        if self.expires and self.expires <= timezone.now():
            raise ValidationError({"expires": "Must lie in the future."})
        if self.made_by is not None:
            self._narrow(self.made_by)

    def _narrow(self, maker: ApiToken) -> None:
        """Hold it against the token that it is made with, as that one is now."""
        maker.refresh_from_db(fields=["revoked_at", "expires", "scopes", "user"])
        if not maker.is_live or maker.user_id != self.user_id:
            raise ValidationError(
                "The token that this one is to be made with is not valid any more."
            )
        if wider := [each for each in self.scopes if each not in maker.scopes]:
            raise ValidationError(
                {"scopes": f"The token that makes it lacks {', '.join(wider)}; it can't give that."}
            )
        self.expires = self.expires or maker.expires
        if maker.expires and self.expires and self.expires > maker.expires:
            raise ValidationError(
                {"expires": f"Must not be later than its maker's, {maker.expires:%F %T %Z}."}
            )

    def _refuse_too_many(self) -> None:
        own = ApiToken.objects.filter(user=self.user_id)
        if own.filter(_live()).count() >= MOST_LIVE:
            raise ValidationError(
                f"A user has at most {MOST_LIVE} tokens that are valid; revoke one first.",
                code="too_many",
            )
        dead = own.exclude(_live()).order_by("-pk").values_list("pk", flat=True)
        own.filter(pk__in=list(dead[MOST_DEAD:])).delete()
