"""System checks: wrong settings stop the process at start, with a sentence that names them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from notifier import conf
from notifier.media.registry import all_media


@register("notifier")
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Hold each of Notifier's settings against its rule, and the times against each other."""
    errors: list[CheckMessage] = [
        Error(f"{each.name} should be: {each.meaning}.", id="notifier.E001")
        for each in conf.ALL
        if not each.valid(each())
    ]
    if not errors and not conf.BATCH_BUDGET_S() < conf.HARD_TIME_LIMIT_S() < conf.LEASE_S():
        errors.append(
            Error(
                f"{conf.BATCH_BUDGET_S.name} < {conf.HARD_TIME_LIMIT_S.name} < {conf.LEASE_S.name} "
                "must hold: a batch ends before its process is killed, and that before another "
                "worker may take its rows.",
                id="notifier.E002",
            )
        )
    return errors


@register("notifier")
def check_media(**_kwargs: Any) -> list[CheckMessage]:
    """Load every plugin and look for the settings it needs."""
    try:
        media = all_media()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="notifier.E003")]
    return [
        Error(
            f"{name} is not set, and the medium {medium.MEDIA_SLUG!r} needs it.",
            hint=f"Set {name}, or take the medium out of {conf.MEDIA_PLUGINS.name}.",
            id="notifier.E004",
        )
        for medium in media.values()
        for name in medium.REQUIRED_SETTINGS
        if not getattr(settings, name, None)
    ] + _check_gateway()


def _check_gateway() -> list[CheckMessage]:
    gateway = conf.SMS_GATEWAY_ADDRESS()
    try:
        if gateway:
            validate_email(gateway)
    except ValidationError:
        return [
            Error(
                f"{conf.SMS_GATEWAY_ADDRESS.name} should be: {conf.SMS_GATEWAY_ADDRESS.meaning}.",
                id="notifier.E005",
            )
        ]
    return []
