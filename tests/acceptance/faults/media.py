"""Media with the patience of a test."""

from __future__ import annotations

from notifier.media.email import EmailNotification


class HastyEmail(EmailNotification):
    """E-mail that tries again at once, as often as the real one."""

    RETRY_DELAYS = (0.3,) * len(EmailNotification.RETRY_DELAYS)
