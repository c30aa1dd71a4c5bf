"""Notifier's own Django settings: name, default, meaning. Read at each use, so tests can override."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Generic, TypeVar

from django.conf import settings

from notifier.limits import Rate

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One Django setting; call it to read its value."""

    name: str
    default: T
    meaning: str
    valid: Callable[[T], bool] = lambda _value: True

    def __call__(self) -> T:
        value: T = getattr(settings, self.name, self.default)
        return value


def _positive(value: float) -> bool:
    return isinstance(value, int | float) and value > 0


def _rates(value: object) -> bool:
    try:
        return isinstance(value, dict) and all(
            scope in {"medium", "host", "destination"} and (not text or Rate.parse(text))
            for scopes in value.values()
            for scope, text in scopes.items()
        )
    except (AttributeError, TypeError, ValueError):
        return False


def _rate(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(Rate.parse(text))
    except ValueError:
        return False


def _network(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(ip_network(text))
    except ValueError:
        return False


def _port(number: object) -> bool:
    return type(number) is int and 0 < number < 65_536  # noqa: PLR2004


def _keys(value: object) -> bool:
    try:
        return (
            isinstance(value, list | tuple)
            and bool(value)
            and all(len(urlsafe_b64decode(key)) == 32 for key in value)  # noqa: PLR2004 - bytes, as Fernet has it
        )
    except (TypeError, ValueError):
        return False


_BROKERS = ("redis://", "rediss://", "redis+socket://", "sentinel://")

MEDIA_PLUGINS: Setting[list[str]] = Setting(
    "MEDIA_PLUGINS",
    ["notifier.media.email.EmailNotification"],
    "the media that may send: slugs of installed plugins, or dotted paths",
    lambda value: isinstance(value, list | tuple) and all(isinstance(path, str) for path in value),
)
SMS_GATEWAY_ADDRESS: Setting[str] = Setting(
    "SMS_GATEWAY_ADDRESS",
    "",
    "address of the e-mail to SMS gateway, such as sms@example.com (no plus: the number has it)",
    lambda value: isinstance(value, str),
)
SEND_NOTIFICATIONS: Setting[bool] = Setting(
    "SEND_NOTIFICATIONS", True, "False: match and record, but cancel instead of sending"
)
NOTIFICATION_SUBJECT_PREFIX: Setting[str] = Setting(
    "NOTIFICATION_SUBJECT_PREFIX", "[Notifier] ", "what every subject starts with"
)
SMS_PARTS: Setting[int] = Setting(
    "NOTIFIER_SMS_PARTS",
    2,
    "most parts that one SMS may have: each is paid for",
    lambda value: type(value) is int and 0 < value < 256,  # noqa: PLR2004 - a part's number is a byte
)
SITE_URL: Setting[str] = Setting(
    "NOTIFIER_SITE_URL",
    "",
    "where people reach Notifier's pages, such as https://notifier.example.org",
    lambda value: isinstance(value, str) and bool(re.fullmatch(r'|https?://[^\s<>"]+', value)),
)
REDIS_URL: Setting[str] = Setting(
    "NOTIFIER_REDIS_URL",
    "redis://127.0.0.1:6379/0",
    f"the broker's URL, which starts with {', '.join(_BROKERS)}",
    lambda value: isinstance(value, str) and value.startswith(_BROKERS),
)
QUEUE: Setting[str | None] = Setting(
    "NOTIFIER_QUEUE",
    "worker.queues.CeleryQueue",
    "dotted path of the queue; None stores events and leaves them to the sweep",
)
LIMITER: Setting[str | None] = Setting(
    "NOTIFIER_LIMITER",
    "worker.rate_limits.RedisLimiter",
    "dotted path of what counts for all processes; None counts in each process",
)
FINGERPRINT_KEY: Setting[str] = Setting(
    "NOTIFIER_FINGERPRINT_KEY",
    "",
    "secret of at least 32 characters that keys the fingerprints of addresses; never change it",
    lambda value: isinstance(value, str) and len(value) >= 32,  # noqa: PLR2004
)
ENCRYPTION_KEYS: Setting[Sequence[str]] = Setting(
    "NOTIFIER_ENCRYPTION_KEYS",
    (),
    "list of the keys of destinations' secrets, the first of which encrypts; "
    'make one by `python -c "from cryptography.fernet import Fernet as F; '
    'print(F.generate_key().decode())"`, and keep it as safe as the database',
    _keys,
)
DEFAULT_SOURCE: Setting[str] = Setting(
    "NOTIFIER_DEFAULT_SOURCE", "local", "source of events posted by notify() without one"
)
DISPATCH_BATCH_SIZE: Setting[int] = Setting(
    "NOTIFIER_DISPATCH_BATCH_SIZE", 100, "events matched in one transaction", _positive
)
SWEEP_INTERVAL_S: Setting[float] = Setting(
    "NOTIFIER_SWEEP_INTERVAL_S", 1.0, "seconds between two sweeps", _positive
)
FLUSH_INTERVAL_S: Setting[float] = Setting(
    "NOTIFIER_FLUSH_INTERVAL_S",
    1.0,
    "after so long the next outcome is recorded at once, with those that wait",
    _positive,
)
BATCH_BUDGET_S: Setting[float] = Setting(
    "NOTIFIER_BATCH_BUDGET_S", 60.0, "after this a batch starts no new send", _positive
)
SEND_TIMEOUT_S: Setting[float] = Setting(
    "NOTIFIER_SEND_TIMEOUT_S", 30.0, "longest time that one send may take in all", _positive
)
HARD_TIME_LIMIT_S: Setting[float] = Setting(
    "NOTIFIER_HARD_TIME_LIMIT_S", 150.0, "after this a task's process is killed", _positive
)
LEASE_S: Setting[float] = Setting(
    "NOTIFIER_LEASE_S",
    300.0,
    "how long a claimed delivery is its claimer's; longer than the hard time limit",
    _positive,
)
BREAKER_PAUSE_S: Setting[float] = Setting(
    "NOTIFIER_BREAKER_PAUSE_S",
    10.0,
    "seconds that a host is left alone after its breaker opened; doubled each time, up to 300",
    _positive,
)
MAX_AGE_S: Setting[float] = Setting(
    "NOTIFIER_MAX_AGE_S",
    72 * 3600.0,
    "seconds after which an event that does not say when it expires need not be told any more",
    _positive,
)
RATE_LIMITS: Setting[dict[str, dict[str, str]]] = Setting(
    "NOTIFIER_RATE_LIMITS",
    {},
    'rates instead of the media\'s own: {"email": {"medium": "14/s", "host": "", "destination": "1/s"}}',
    _rates,
)
TEST_RATE: Setting[str] = Setting(
    "NOTIFIER_TEST_RATE",
    "5/m",
    "test messages that one user may ask for, such as 5/m or 20/h",
    _rate,
)
API_RATE: Setting[str] = Setting(
    "NOTIFIER_API_RATE",
    "600/m burst 100",
    "requests to the API by one user, such as 600/m burst 100; empty for any number",
    lambda value: value == "" or _rate(value),
)
OVERDUE_S: Setting[float] = Setting(
    "NOTIFIER_OVERDUE_S", 60.0, "`notifier doctor` complains of what is late by more", _positive
)
HTTP_ALLOWED_NETWORKS: Setting[Sequence[str]] = Setting(
    "NOTIFIER_HTTP_ALLOWED_NETWORKS",
    (),
    "networks such as 10.20.0.0/16 that users' URLs may lead to though they are not public",
    lambda value: isinstance(value, list | tuple) and all(map(_network, value)),
)
HTTP_ALLOWED_PORTS: Setting[Sequence[int]] = Setting(
    "NOTIFIER_HTTP_ALLOWED_PORTS",
    (),
    "ports (numbers) that users' URLs may lead to, besides 80 and 443",
    lambda value: isinstance(value, list | tuple) and all(map(_port, value)),
)
APPRISE_SERVICES: Setting[Sequence[str]] = Setting(
    "NOTIFIER_APPRISE_SERVICES",
    (),
    "services that users may be told by through Apprise, by what their URLs begin with: tgram, ntfys",
    lambda value: isinstance(value, list | tuple) and all(isinstance(each, str) for each in value),
)
KEEP_DAYS: Setting[float] = Setting(
    "NOTIFIER_KEEP_DAYS",
    90.0,
    "days that an event is kept after it came and its last delivery ended",
    _positive,
)
KEEP_FAILED_DAYS: Setting[float] = Setting(
    "NOTIFIER_KEEP_FAILED_DAYS",
    365.0,
    "the same, in days, for what failed or was refused; never less than the other",
    _positive,
)
MAX_WAITING: Setting[int] = Setting(
    "NOTIFIER_MAX_WAITING",
    200_000,
    "while more events or more deliveries wait, HTTP takes critical events only",
    _positive,
)
REDIS_MASTER: Setting[str] = Setting(
    "NOTIFIER_REDIS_MASTER",
    "",
    "the name that the sentinels of a sentinel:// URL know the Redis by",
    lambda value: isinstance(value, str),
)
CANARY_INTERVAL_S: Setting[float] = Setting(
    "NOTIFIER_CANARY_INTERVAL_S",
    30.0,
    "seconds between two canaries, which show that a queue is consumed",
    _positive,
)
DEAF_AFTER_S: Setting[float] = Setting(
    "NOTIFIER_DEAF_AFTER_S",
    120.0,
    "a worker that takes nothing for so long, while messages wait and it is idle, is ended",
    _positive,
)
CHILD_MEMORY_MB: Setting[float] = Setting(
    "NOTIFIER_CHILD_MEMORY_MB",
    0,
    "MB that a worker's child may grow by, at least 100; 0 for any (Linux)",
    lambda value: isinstance(value, int | float) and (value == 0 or value >= 100),  # noqa: PLR2004
)


def canary_name(queue: str) -> str:
    """Return the name of the heartbeat that a queue's canary leaves."""
    return f"queue {queue}"


ALL: tuple[Setting[object], ...] = tuple(
    value for value in globals().values() if isinstance(value, Setting)
)
