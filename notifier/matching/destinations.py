"""What a delivery keeps of its destination."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from notifier.errors import SettingsUnreadable, frames
from notifier.media.registry import find_medium
from notifier.models import DestinationConfig

log = logging.getLogger(__name__)

MAX_HOST = 255


class Told(NamedTuple):
    """Who is told, by which medium; the label outlives the destination, the host may be parked."""

    pk: int
    user_id: Any
    medium: str
    label: str
    host: str


def told_by(destination: DestinationConfig) -> Told:
    """Return what a delivery keeps of a destination; it opens the settings and asks the medium."""
    return Told(
        destination.pk,
        destination.user_id,
        destination.media_id,
        destination.lasting_label,
        _host(destination),
    )


def _host(destination: DestinationConfig) -> str:
    """Return the host as the medium says it; where it can't, one of the destination's own.

    So that what fails there holds back no other destination.
    """
    medium, alone = find_medium(destination.media_id), f"destination-{destination.pk}"
    try:
        return str(medium.get_host(destination.settings))[:MAX_HOST] if medium else ""
    except SettingsUnreadable:
        return alone  # said when it is to be sent
    except Exception as error:  # noqa: BLE001 - a plugin's bug over one destination stops no event
        log.error(  # noqa: TRY400 - frames only: the text may quote an address
            "destination %s has no host: %s\n%s",
            destination.pk,
            type(error).__name__,
            frames(error),
        )
        return alone
