"""Verifying what a source signed, as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Mapping

from django.db.models import BigIntegerField

from notifier import conf
from notifier.errors import NotNow, SettingsUnreadable
from notifier.intake.heartbeats import overhear
from notifier.media.webhook import signature
from notifier.models import SigningSecret, Source

log = logging.getLogger(__name__)

TOLERANCE_S = 5 * 60
MOST_SIGNATURES = 20
_RETRY_AFTER_S = 60


def signing_source(source_id: int, headers: Mapping[str, str], body: bytes) -> Source | None:
    """Return the source that signed a request, if it did, within five minutes and with a secret that
    is not revoked.

    Raise `NotNow` where none of its secrets can be read: that is no fault of the sender's.
    """
    webhook_id = headers.get("webhook-id", "")
    timestamp = _timestamp(headers.get("webhook-timestamp", ""))
    if not webhook_id or timestamp is None or source_id > BigIntegerField.MAX_BIGINT:
        return None
    given = headers.get("webhook-signature", "").split(" ")[:MOST_SIGNATURES]
    rows = SigningSecret.objects.filter(source=source_id, revoked_at=None).select_related("source")
    unreadable = 0
    for row in rows:
        try:
            right = signature(row.secret, webhook_id, timestamp, body).encode()
        except SettingsUnreadable:
            unreadable += 1
            log.error("no key of %s opens signing secret %s", conf.ENCRYPTION_KEYS.name, row.pk)  # noqa: TRY400 - no secret's traceback
            continue
        # bytes, as a header may hold anything
        if any(hmac.compare_digest(each.encode("utf-8", "replace"), right) for each in given):
            overhear(row.source)
            return row.source
    if unreadable and unreadable == len(rows):
        raise NotNow("The secrets of this source can't be read here.", _RETRY_AFTER_S)
    return None


def _timestamp(written: str) -> int | None:
    """Return the seconds of a header; None for what is none, or none of now."""
    if not written.isascii() or not written.isdigit() or len(written) > len("99999999999"):
        return None
    return int(written) if abs(time.time() - int(written)) <= TOLERANCE_S else None
