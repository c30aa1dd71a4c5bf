"""How pages search for a row's owner."""

from __future__ import annotations

from django.contrib.auth import get_user_model

OWNER = f"user__{get_user_model().USERNAME_FIELD}"
"""The look-up of a user's name; a host may have a user model of its own."""
