"""Resealing: every secret of destinations and sources is encrypted by the key of today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db import transaction

from notifier.errors import SettingsUnreadable
from notifier.models import DestinationConfig, SigningSecret
from notifier.models.settings_field import resealed

BATCH = 200
"""Destinations of one transaction."""


class Step(NamedTuple):
    """What one transaction did."""

    last: int
    seen: int
    changed: int
    unreadable: list[int]
    """Ids of destinations."""


def reseal_all(batch: int = BATCH) -> Iterator[Step]:
    """Store all settings as they would be stored now: by the first key, and by what is secret now.

    Each step is a transaction. Broken off anywhere, the same call goes on; made twice, it changes
    nothing more. What can't be read is left alone.
    """
    last = 0
    while (step := _reseal(last, batch)).seen:
        yield step
        last = step.last


@transaction.atomic
def _reseal(after: int, batch: int) -> Step:
    rows = DestinationConfig.objects.filter(pk__gt=after).order_by("pk")
    changed, unreadable = 0, []
    found = list(rows.select_for_update(no_key=True)[:batch])
    for destination in found:
        try:
            settings = resealed(destination)
        except SettingsUnreadable:
            unreadable.append(destination.pk)
            continue
        if settings is not None:
            changed += DestinationConfig.objects.filter(pk=destination.pk).update(settings=settings)
    return Step(found[-1].pk if found else after, len(found), changed, unreadable)


@transaction.atomic
def reseal_signing_secrets() -> Step:
    """Do the same for sources' signing secrets, of which there are few; `unreadable` holds theirs."""
    changed, unreadable = 0, []
    found = list(SigningSecret.objects.order_by("pk").select_for_update(no_key=True))
    for secret in found:
        try:
            sealed = secret.resealed()
        except SettingsUnreadable:
            unreadable.append(secret.pk)
            continue
        if sealed is not None:
            changed += SigningSecret.objects.filter(pk=secret.pk).update(sealed=sealed)
    return Step(0, len(found), changed, unreadable)
