"""The service's Django settings: everything comes from the environment.

Each variable can also be given as `NAME_FILE`, the path of a file that holds the value.
"""

from __future__ import annotations

import zoneinfo
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
import environ
import structlog
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

BASE_DIR = Path(__file__).resolve().parent.parent


class _Environment(FileAwareMapping):  # type: ignore[misc] # has no types
    """Reads `NAME_FILE` too, without the newline that every editor puts at a file's end."""

    def __getitem__(self, name: str) -> str:
        try:
            value: str = super().__getitem__(name)
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE can't be read: {error.strerror}.") from error
        return value.rstrip("\r\n")


class _Env(environ.Env):  # type: ignore[misc] # has no types
    ENVIRON = _Environment()


env = _Env()

DEBUG: bool = env.bool("NOTIFIER_DEBUG", default=False)


def secret(name: str, what_for: str) -> str:
    """Return a secret of at least 32 characters; raise `ImproperlyConfigured` naming it."""
    value: str = env.str(name, default="")
    if len(value) < 32:  # noqa: PLR2004
        raise ImproperlyConfigured(
            f"{name} must be at least 32 random characters ({what_for}). Set {name} or "
            f"{name}_FILE; `make .env` writes one for development."
        )
    return value


SECRET_KEY = secret("SECRET_KEY", "signs sessions")
NOTIFIER_FINGERPRINT_KEY = secret(
    "NOTIFIER_FINGERPRINT_KEY", "keys the fingerprints of addresses; never change it"
)
# the first one encrypts, each decrypts
NOTIFIER_ENCRYPTION_KEYS = (
    secret("NOTIFIER_ENCRYPTION_KEYS", "keys of destinations' secrets, with commas")
    .replace(",", " ")
    .split()
)


def number(name: str, default: float) -> float:
    """Return a number; raise `ImproperlyConfigured` naming what is none."""
    try:
        value: float = env.float(name, default=default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, such as {default}.") from error
    return value


def items(name: str, *default: str) -> list[str]:
    """Return what stands between commas, with or without spaces."""
    said: list[str] = env.list(name, default=list(default))
    return [item for each in said if (item := each.strip())]


ALLOWED_HOSTS = items("NOTIFIER_ALLOWED_HOSTS", "localhost", "127.0.0.1")
CSRF_TRUSTED_ORIGINS = items("NOTIFIER_TRUSTED_ORIGINS")
HTTPS: bool = env.bool("NOTIFIER_HTTPS", default=not DEBUG)
"""False only where no TLS ends before us, such as the demo on this machine."""

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # its own copy of the API's pages: nothing is loaded from elsewhere
    "notifier",
    "demo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
MEDIA_PLUGINS = items("MEDIA_PLUGINS", "notifier.media.email.EmailNotification")


def template_directories() -> list[str]:
    """Return the directories of NOTIFIER_TEMPLATES; raise `ImproperlyConfigured` where one is missing."""
    found = items("NOTIFIER_TEMPLATES")
    for each in found:
        if not Path(each).is_dir():
            raise ImproperlyConfigured(
                f"NOTIFIER_TEMPLATES must be directories with commas; {each} is none."
            )
    return found


def plugin_templates() -> list[str]:
    """Return the `templates/` of the enabled plugins' packages, without importing these.

    What can't be found is for the system checks to say.
    """
    modules = {each.name: each.module for each in entry_points(group="notifier.media")}
    packages = {modules.get(item, item).partition(".")[0]: None for item in MEDIA_PLUGINS}
    specs = [find_spec(name) for name in packages if name and name not in INSTALLED_APPS]
    return [
        str(Path(place, "templates"))
        for spec in specs
        if spec
        for place in spec.submodule_search_locations or ()
    ]


TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # a site's own templates come first: NOTIFIER_TEMPLATES/notifier/email/body.txt, …
        "DIRS": [*template_directories(), *plugin_templates()],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


DATABASE_URL_FORMS = (
    "DATABASE_URL must be postgres://user:password@host/name or sqlite:////absolute/path"
)


def database() -> dict[str, Any]:
    """Return the database of DATABASE_URL, with the options that make "accepted" mean durable."""
    url: str = env.str("DATABASE_URL", default=f"sqlite:///{BASE_DIR}/notifier.sqlite3")
    if not url.startswith(("postgres://", "postgresql://", "sqlite://")):
        raise ImproperlyConfigured(DATABASE_URL_FORMS)
    try:
        found: dict[str, Any] = env.db_url_config(url)
    except ValueError as error:  # such as a port that is no number
        raise ImproperlyConfigured(DATABASE_URL_FORMS) from error
    if found["ENGINE"].endswith("sqlite3"):
        found["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    else:
        found["CONN_MAX_AGE"] = int(number("NOTIFIER_CONN_MAX_AGE", 600))
        found["CONN_HEALTH_CHECKS"] = True
        options = found.setdefault("OPTIONS", {})
        options.setdefault("connect_timeout", 5)
        # a kept connection whose other end has gone without a word would hang for a quarter of an hour
        options.setdefault("tcp_user_timeout", 10_000)  # milliseconds
    return found


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]

LANGUAGE_CODE: str = env.str("NOTIFIER_LANGUAGE", default="en")
if LANGUAGE_CODE not in dict(global_settings.LANGUAGES):
    raise ImproperlyConfigured("NOTIFIER_LANGUAGE must be one of Django's, such as en or nb.")
TIME_ZONE: str = env.str("NOTIFIER_TIME_ZONE", default="UTC")
if TIME_ZONE not in zoneinfo.available_timezones():
    raise ImproperlyConfigured("NOTIFIER_TIME_ZONE must be a name such as Europe/Oslo.")
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT: str | None = env.str("NOTIFIER_STATIC_ROOT", default=None)
# without a place to collect them in, static files are served from where they are
WHITENOISE_USE_FINDERS = STATIC_ROOT is None

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# a promise for every host of the domain is its owner's to make
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool(
    "NOTIFIER_HSTS_WHOLE_DOMAIN", default=False
)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS

# the largest list of events; a longer body is refused before it is read
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024


def mail() -> dict[str, Any]:
    """Return the mail server of EMAIL_URL, else of Django's own EMAIL_… variables."""
    if "EMAIL_URL" in env or "EMAIL_URL_FILE" in env:
        try:
            found: dict[str, Any] = env.email_url("EMAIL_URL")
        except (ImproperlyConfigured, ValueError):  # its text would quote a part of the URL
            raise ImproperlyConfigured(
                "EMAIL_URL must be smtp+tls://user:password@host:587, smtp+ssl://…:465 or "
                "smtp://host:25."
            ) from None
    else:
        found = {
            "EMAIL_HOST": env.str("EMAIL_HOST", default="localhost"),
            "EMAIL_PORT": int(number("EMAIL_PORT", 25)),
            "EMAIL_HOST_USER": env.str("EMAIL_HOST_USER", default=""),
            "EMAIL_HOST_PASSWORD": env.str("EMAIL_HOST_PASSWORD", default=""),
            "EMAIL_USE_TLS": env.bool("EMAIL_USE_TLS", default=False),
            "EMAIL_USE_SSL": env.bool("EMAIL_USE_SSL", default=False),
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        }
    # such as a provider's, by its HTTP API
    found["EMAIL_BACKEND"] = env.str("EMAIL_BACKEND", default=found["EMAIL_BACKEND"])
    return found


def mailer(found: dict[str, Any]) -> dict[str, Any]:
    """Return the same as Django 6.1's `MAILERS`."""
    options = {
        "host": found.get("EMAIL_HOST"),
        "port": found.get("EMAIL_PORT"),
        "username": found.get("EMAIL_HOST_USER") or "",
        "password": found.get("EMAIL_HOST_PASSWORD") or "",
        "use_tls": found.get("EMAIL_USE_TLS", False),
        "use_ssl": found.get("EMAIL_USE_SSL", False),
        "timeout": EMAIL_TIMEOUT_S,
    }
    backend = found["EMAIL_BACKEND"]
    return {"BACKEND": backend, "OPTIONS": options if backend.endswith("smtp.EmailBackend") else {}}


EMAIL_TIMEOUT_S: float = number("EMAIL_TIMEOUT", 15.0)
if django.VERSION >= (6, 1):
    MAILERS = {"default": mailer(mail())}
else:
    locals().update(mail())
    EMAIL_TIMEOUT = EMAIL_TIMEOUT_S
try:
    ANYMAIL: dict[str, Any] = env.json("ANYMAIL", default={})
except ValueError:  # its text would quote the key
    raise ImproperlyConfigured(
        'ANYMAIL must be JSON, such as {"POSTMARK_SERVER_TOKEN": "…"}.'
    ) from None
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="notifier@localhost")

SMS_GATEWAY_ADDRESS: str = env.str("SMS_GATEWAY_ADDRESS", default="")
SEND_NOTIFICATIONS: bool = env.bool("SEND_NOTIFICATIONS", default=True)
NOTIFICATION_SUBJECT_PREFIX: str = env.str("NOTIFICATION_SUBJECT_PREFIX", default="[Notifier] ")
NOTIFIER_SITE_URL: str = env.str("NOTIFIER_SITE_URL", default="")
NOTIFIER_SMS_PARTS = int(number("NOTIFIER_SMS_PARTS", 2))
NOTIFIER_REDIS_URL: str = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
NOTIFIER_REDIS_MASTER: str = env.str("REDIS_MASTER", default="")
NOTIFIER_DEFAULT_SOURCE: str = env.str("NOTIFIER_DEFAULT_SOURCE", default="local")
NOTIFIER_SWEEP_INTERVAL_S: float = number("NOTIFIER_SWEEP_INTERVAL_S", 1.0)
NOTIFIER_FLUSH_INTERVAL_S: float = number("NOTIFIER_FLUSH_INTERVAL_S", 1.0)
NOTIFIER_BATCH_BUDGET_S: float = number("NOTIFIER_BATCH_BUDGET_S", 60.0)
NOTIFIER_SEND_TIMEOUT_S: float = number("NOTIFIER_SEND_TIMEOUT_S", 30.0)
NOTIFIER_HARD_TIME_LIMIT_S: float = number("NOTIFIER_HARD_TIME_LIMIT_S", 150.0)
NOTIFIER_BREAKER_PAUSE_S: float = number("NOTIFIER_BREAKER_PAUSE_S", 10.0)
NOTIFIER_MAX_AGE_S: float = number("NOTIFIER_MAX_AGE_S", 72 * 3600.0)


def rate_limits() -> dict[str, dict[str, str]]:
    """Return `email=14/s;sms.destination=1/10s` by medium and scope, which is the medium if left out."""
    found: dict[str, dict[str, str]] = {}
    said: str = env.str("NOTIFIER_RATE_LIMITS", default="")
    for each in filter(None, said.split(";")):
        name, _, rate = each.partition("=")
        slug, _, scope = name.strip().partition(".")
        found.setdefault(slug, {})[scope or "medium"] = rate.strip()
    return found


NOTIFIER_RATE_LIMITS = rate_limits()
NOTIFIER_TEST_RATE: str = env.str("NOTIFIER_TEST_RATE", default="5/m")
NOTIFIER_API_RATE: str = env.str("NOTIFIER_API_RATE", default="600/m burst 100")
NOTIFIER_OVERDUE_S: float = number("NOTIFIER_OVERDUE_S", 60.0)
NOTIFIER_CANARY_INTERVAL_S: float = number("NOTIFIER_CANARY_INTERVAL_S", 30.0)
NOTIFIER_CHILD_MEMORY_MB: float = number("NOTIFIER_CHILD_MEMORY_MB", 0)
NOTIFIER_DEAF_AFTER_S: float = number("NOTIFIER_DEAF_AFTER_S", 120.0)
NOTIFIER_LEASE_S: float = number("NOTIFIER_LEASE_S", 300.0)
NOTIFIER_HTTP_ALLOWED_NETWORKS = items("NOTIFIER_HTTP_ALLOWED_NETWORKS")
try:
    NOTIFIER_HTTP_ALLOWED_PORTS: list[int] = env.list(
        "NOTIFIER_HTTP_ALLOWED_PORTS", cast=int, default=[]
    )
except ValueError as error:
    raise ImproperlyConfigured(
        "NOTIFIER_HTTP_ALLOWED_PORTS must be numbers with commas, such as 8080,8443."
    ) from error
NOTIFIER_APPRISE_SERVICES = items("NOTIFIER_APPRISE_SERVICES")
NOTIFIER_KEEP_DAYS: float = number("NOTIFIER_KEEP_DAYS", 90.0)
NOTIFIER_KEEP_FAILED_DAYS: float = number("NOTIFIER_KEEP_FAILED_DAYS", 365.0)
NOTIFIER_MAX_WAITING = int(number("NOTIFIER_MAX_WAITING", 200_000))

_SHARED_PROCESSORS: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        # JSON, so that no text of an event can forge a line of its own
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.str("NOTIFIER_LOG_LEVEL", default="WARNING")},
}
