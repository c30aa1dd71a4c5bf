"""System checks: wrong settings stop the process at start, with a sentence that names them."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.module_loading import import_string

from notifier import conf
from notifier.media.contract import problems
from notifier.media.registry import all_media, installed_slugs

GUNICORN_GIVES_UP = 3
"""The exit code after which gunicorn doesn't start the same worker again and again."""
OURS = "notifier/found.txt"
"""A template that no site has a reason to override: a site's own may be broken."""


@register("notifier")
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Hold each of Notifier's settings against its rule, and the times against each other."""
    errors: list[CheckMessage] = [
        Error(f"{each.name} should be: {each.meaning}.", id="notifier.E001")
        for each in conf.ALL
        if not each.valid(each())
    ]
    if errors:
        return errors
    if conf.REDIS_URL().startswith("sentinel://") and not conf.REDIS_MASTER():
        errors.append(
            Error(
                f"{conf.REDIS_MASTER.name} is not set, and {conf.REDIS_URL.name} names sentinels.",
                hint="Set it (REDIS_MASTER) to the name that they know the Redis by, such as mymaster.",
                id="notifier.E008",
            )
        )
    longest_batch_s = conf.BATCH_BUDGET_S() + 2 * conf.SEND_TIMEOUT_S()
    if not longest_batch_s < conf.HARD_TIME_LIMIT_S() < conf.LEASE_S():
        errors.append(
            Error(
                f"{conf.BATCH_BUDGET_S.name} + 2 * {conf.SEND_TIMEOUT_S.name} < "
                f"{conf.HARD_TIME_LIMIT_S.name} < {conf.LEASE_S.name} must hold: a batch and its last "
                "send end before the process is killed, and that before another worker may take "
                "its rows.",
                id="notifier.E002",
            )
        )
    return errors


@register("notifier")
def check_media(**_kwargs: Any) -> list[CheckMessage]:
    """Load every plugin; look whether it keeps the contract, and for the settings it needs."""
    if not conf.MEDIA_PLUGINS.valid(conf.MEDIA_PLUGINS()):
        return []  # said by `check_settings`
    try:
        media = all_media()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="notifier.E003")]
    broken: list[CheckMessage] = [
        Error(f"The plugin {type(medium).__qualname__}: {problem}", id="notifier.E009")
        for medium in media.values()
        for problem in problems(type(medium))
    ]
    missing = [
        Error(
            f"{name} is not set, and the medium {medium.MEDIA_SLUG!r} needs it.",
            hint=f"Set {name}, or take the medium out of {conf.MEDIA_PLUGINS.name}.",
            id="notifier.E004",
        )
        for medium in media.values()
        for name in medium.REQUIRED_SETTINGS
        if not getattr(settings, name, None)
    ]
    return broken + missing + _check_gateway() + _check_rates({*media, *installed_slugs()})


def _check_rates(slugs: set[str]) -> list[CheckMessage]:
    rates = conf.RATE_LIMITS()
    if not conf.RATE_LIMITS.valid(rates):
        return []  # said by `check_settings`
    return [
        Error(
            f"{conf.RATE_LIMITS.name}: there is no medium {slug!r}; there are "
            f"{', '.join(sorted(slugs))}.",
            id="notifier.E011",
        )
        for slug in rates
        if slug not in slugs
    ]


def _refuse_plus(gateway: str) -> None:
    # The number begins with the plus that the gateway looks for.
    if "+" in gateway:
        raise ValidationError(gateway)


def _check_gateway() -> list[CheckMessage]:
    gateway = conf.SMS_GATEWAY_ADDRESS()
    try:
        if gateway and isinstance(gateway, str):
            validate_email(gateway)
            _refuse_plus(gateway)
    except ValidationError:
        return [
            Error(
                f"{conf.SMS_GATEWAY_ADDRESS.name} should be: {conf.SMS_GATEWAY_ADDRESS.meaning}.",
                id="notifier.E005",
            )
        ]
    return []


@register("notifier")
def check_host(**_kwargs: Any) -> list[CheckMessage]:
    """Look at what Notifier needs of the host project's own settings."""
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ must be True: events and timeslots live in time zones.", id="notifier.E006"
            )
        )
    try:
        get_template(OURS)
    except TemplateDoesNotExist:
        found.append(
            Error(
                "TEMPLATES has no Django engine that finds Notifier's own; give one APP_DIRS = True.",
                id="notifier.E007",
            )
        )
    database = settings.DATABASES["default"]
    mode = database.get("OPTIONS", {}).get("transaction_mode")
    if database["ENGINE"].endswith("sqlite3") and mode != "IMMEDIATE":
        found.append(
            CheckWarning(
                'SQLite without OPTIONS["transaction_mode"] = "IMMEDIATE" answers "database is locked" '
                "as soon as two processes write.",
                id="notifier.W001",
            )
        )
    return found


@register("notifier")
def check_mail(**_kwargs: Any) -> list[CheckMessage]:
    """Import the backend that mail goes by, and say what to install where that fails."""
    if (mailers := getattr(settings, "MAILERS", None)) is None:  # new in Django 6.1
        backend = settings.EMAIL_BACKEND
    elif (backend := mailers.get("default", {}).get("BACKEND")) is None:
        return []  # SMTP; and that there is a default, Django's own check says
    try:
        import_string(backend)
    except ImportError as error:
        anymail = 'pip install "notifier-worker[anymail]"'
        cure = anymail if backend.startswith("anymail.") else "Install its package"
        return [
            Error(
                f"EMAIL_BACKEND: {backend!r} can't be imported ({error}). {cure}, or name another.",
                id="notifier.E010",
            )
        ]
    return []


def refuse_wrong_settings() -> None:
    """End the process with a sentence for each error; for programs that run no checks themselves."""
    errors = [str(each.msg) for each in run_checks(tags=["notifier"]) if each.is_serious()]
    if errors:
        sys.stderr.write("notifier: " + "\n".join(errors) + "\n")
        sys.exit(GUNICORN_GIVES_UP)
