"""Fingerprints of addresses: what uniqueness rests on, so that the settings can be encrypted."""

from __future__ import annotations

import hashlib
import hmac

from django.core.exceptions import ImproperlyConfigured

from notifier import conf


def fingerprint(medium: str, address: str) -> str:
    """Return the HMAC-SHA256 (64 hex digits) of a medium's slug and a canonical address.

    Keyed, because phone numbers are few enough to be found from a plain hash.
    """
    key = conf.FINGERPRINT_KEY()
    if not key:
        raise ImproperlyConfigured(f"{conf.FINGERPRINT_KEY.name}: {conf.FINGERPRINT_KEY.meaning}")
    return hmac.new(key.encode(), f"{medium}:{address}".encode(), hashlib.sha256).hexdigest()
