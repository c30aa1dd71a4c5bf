"""Wrong settings are told at start, each by its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks

from notifier import conf
from notifier.media import registry

EMAIL = "notifier.media.email.EmailNotification"
SMS = "notifier.media.sms_as_email.SMSNotification"
KEY = "k" * 43 + "="
NAMES = {each.name: each for each in conf.ALL}


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    registry._load.cache_clear()
    yield
    registry._load.cache_clear()


def complaints() -> list[tuple[str | None, str]]:
    """Return what the checks say: their ids, and sentence and hint."""
    return [
        (each.id, f"{each.msg} {each.hint or ''}".strip()) for each in run_checks(tags=["notifier"])
    ]


def test_the_tests_own_settings_are_right() -> None:
    assert complaints() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFIER_FINGERPRINT_KEY", ""),
        ("NOTIFIER_FINGERPRINT_KEY", "x" * 31),
        ("NOTIFIER_FINGERPRINT_KEY", None),
        ("NOTIFIER_ENCRYPTION_KEYS", []),
        ("NOTIFIER_ENCRYPTION_KEYS", None),
        ("NOTIFIER_ENCRYPTION_KEYS", KEY),
        ("NOTIFIER_ENCRYPTION_KEYS", [KEY, "x" * 44]),
        ("NOTIFIER_ENCRYPTION_KEYS", [KEY, "ø"]),
        ("NOTIFIER_ENCRYPTION_KEYS", [KEY, 5]),
        ("NOTIFIER_REDIS_URL", "localhost:6379"),
        ("NOTIFIER_REDIS_URL", "amqp://localhost"),
        ("NOTIFIER_REDIS_URL", None),
        ("NOTIFIER_DISPATCH_BATCH_SIZE", 0),
        ("NOTIFIER_SWEEP_INTERVAL_S", -1),
        ("NOTIFIER_LEASE_S", "300"),
        ("NOTIFIER_OVERDUE_S", float("nan")),
        ("NOTIFIER_HTTP_ALLOWED_NETWORKS", "10.0.0.0/8"),
        ("NOTIFIER_HTTP_ALLOWED_NETWORKS", ["10.0.0.1/8"]),
        ("NOTIFIER_HTTP_ALLOWED_NETWORKS", ["intranet"]),
        ("NOTIFIER_HTTP_ALLOWED_NETWORKS", [10]),
        ("NOTIFIER_HTTP_ALLOWED_NETWORKS", None),
        ("NOTIFIER_HTTP_ALLOWED_PORTS", 8080),
        ("NOTIFIER_HTTP_ALLOWED_PORTS", ["8080"]),
        ("NOTIFIER_HTTP_ALLOWED_PORTS", [0]),
        ("NOTIFIER_HTTP_ALLOWED_PORTS", [65_536]),
        ("NOTIFIER_HTTP_ALLOWED_PORTS", [True]),
        ("NOTIFIER_TEST_RATE", "5"),
        ("NOTIFIER_TEST_RATE", ""),
        ("NOTIFIER_TEST_RATE", 5),
        ("NOTIFIER_DEAF_AFTER_S", 0),
        ("NOTIFIER_CANARY_INTERVAL_S", "30"),
        ("NOTIFIER_CHILD_MEMORY_MB", 5),
        ("NOTIFIER_REDIS_MASTER", None),
        ("MEDIA_PLUGINS", EMAIL),
        ("MEDIA_PLUGINS", None),
        ("MEDIA_PLUGINS", [5]),
        ("SMS_GATEWAY_ADDRESS", None),
        ("SMS_GATEWAY_ADDRESS", ["sms@example.com"]),
    ],
)
def test_a_wrong_value_is_told_with_the_settings_meaning(
    settings: Any, name: str, value: object
) -> None:
    settings.SMS_GATEWAY_ADDRESS = "sms@example.com"
    settings.MEDIA_PLUGINS = [EMAIL]
    setattr(settings, name, value)
    assert complaints() == [("notifier.E001", f"{name} should be: {NAMES[name].meaning}.")]


def test_networks_and_ports_of_the_sites_own_are_right(settings: Any) -> None:
    settings.NOTIFIER_HTTP_ALLOWED_NETWORKS = ["10.20.0.0/16", "192.168.1.7", "fd00::/8"]
    settings.NOTIFIER_HTTP_ALLOWED_PORTS = [8080, 65_535]
    assert complaints() == []


@pytest.mark.parametrize(
    ("budget", "limit", "lease"),
    [(200, 150, 300), (60, 300, 300), (60, 60, 300), (60, 400, 300), (130, 150, 300)],
)
def test_times_in_the_wrong_order_are_told(
    settings: Any, budget: float, limit: float, lease: float
) -> None:
    settings.NOTIFIER_BATCH_BUDGET_S = budget
    settings.NOTIFIER_HARD_TIME_LIMIT_S = limit
    settings.NOTIFIER_LEASE_S = lease
    [(identity, sentence)] = complaints()
    assert identity == "notifier.E002"
    assert sentence.startswith(
        "NOTIFIER_BATCH_BUDGET_S + 2 * NOTIFIER_SEND_TIMEOUT_S < NOTIFIER_HARD_TIME_LIMIT_S < "
        "NOTIFIER_LEASE_S must hold"
    )


@pytest.mark.parametrize(
    ("plugins", "sentence"),
    [
        (
            ["no.such.Medium"],
            (
                "MEDIA_PLUGINS: 'no.such.Medium' can't be imported (No module named 'no'). "
                "Give the dotted path of a NotificationMedium class, and install its package."
            ),
        ),
        (
            ["notifier.media.email.Nothing"],
            (
                "MEDIA_PLUGINS: 'notifier.media.email.Nothing' can't be imported (Module "
                '"notifier.media.email" does not define a "Nothing" attribute/class). '
                "Give the dotted path of a NotificationMedium class, and install its package."
            ),
        ),
        (
            ["notifier.mail.Letter"],
            (
                "MEDIA_PLUGINS: 'notifier.mail.Letter' is no subclass of "
                "notifier.media.base.NotificationMedium."
            ),
        ),
        (
            ["notifier.media.email.conf"],
            (
                "MEDIA_PLUGINS: 'notifier.media.email.conf' is no subclass of "
                "notifier.media.base.NotificationMedium."
            ),
        ),
        (
            ["tests.plugins.Misspelt"],
            (
                "MEDIA_PLUGINS: the SECRETS of 'tests.plugins.Misspelt' are ('adress',), and should be "
                "a list of fields of its Form (address), or None for all of them."
            ),
        ),
        (
            ["tests.plugins.Spelt"],
            (
                "MEDIA_PLUGINS: the SECRETS of 'tests.plugins.Spelt' are 'address', and should be "
                "a list of fields of its Form (address), or None for all of them."
            ),
        ),
        (
            [EMAIL, EMAIL],
            "MEDIA_PLUGINS: 'email' is named twice; keep one.",
        ),
    ],
)
def test_a_plugin_that_can_not_be_had_is_told(
    settings: Any, plugins: list[str], sentence: str
) -> None:
    settings.MEDIA_PLUGINS = plugins
    assert complaints() == [("notifier.E003", sentence)]


def test_a_slug_and_the_path_of_the_same_plugin_are_one_named_twice(settings: Any) -> None:
    settings.MEDIA_PLUGINS = ["email", EMAIL]
    assert complaints() == [("notifier.E003", "MEDIA_PLUGINS: 'email' is named twice; keep one.")]


def test_apprise_without_its_package_names_what_to_install(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "notifier.media.apprise", raising=False)
    monkeypatch.setitem(sys.modules, "apprise", None)
    settings.MEDIA_PLUGINS = ["apprise"]
    [(identity, sentence)] = complaints()
    assert identity == "notifier.E003"
    assert sentence.startswith("MEDIA_PLUGINS: 'apprise' (notifier.media.apprise:")
    assert 'pip install "notifier-worker[apprise]"' in sentence


@pytest.mark.parametrize(
    ("backend", "cure"),
    [
        ("anymail.backends.nosuch.EmailBackend", 'pip install "notifier-worker[anymail]"'),
        ("no.such.Backend", "Install its package"),
    ],
)
def test_a_mail_backend_that_can_not_be_had_is_told(settings: Any, backend: str, cure: str) -> None:
    if hasattr(settings, "MAILERS"):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend
    [(identity, sentence)] = complaints()
    assert identity == "notifier.E010"
    assert sentence.startswith(f"EMAIL_BACKEND: '{backend}' can't be imported (No module named '")
    assert sentence.endswith(f"'). {cure}, or name another.")


@pytest.mark.parametrize("mailers", [{}, {"default": {}}])
def test_mailers_need_not_name_a_backend(settings: Any, mailers: dict[str, Any]) -> None:
    settings.MAILERS = mailers
    assert complaints() == []


def test_a_rate_of_no_medium_is_told(settings: Any) -> None:
    settings.MEDIA_PLUGINS = [EMAIL, "tests.plugins.Counting"]
    settings.NOTIFIER_RATE_LIMITS = {
        "counting": {"medium": "1/s"},
        "sms": {"medium": "1/s"},  # installed, and not enabled for now
        "emial": {"medium": "14/s"},
    }
    [(identity, sentence)] = complaints()
    assert identity == "notifier.E011"
    assert sentence.startswith(
        "NOTIFIER_RATE_LIMITS: there is no medium 'emial'; there are apprise, "
    )
    settings.NOTIFIER_RATE_LIMITS = None
    assert [each for each, _ in complaints()] == ["notifier.E001"]


def test_a_plugin_that_breaks_the_contract_is_told(settings: Any) -> None:
    settings.MEDIA_PLUGINS = ["tests.media.test_contract.Keyless"]
    assert complaints() == [
        (
            "notifier.E009",
            (
                "The plugin Keyless: MEDIA_SETTINGS_KEY must be the setting that holds the address; "
                "it is not set, and it is not clear which it is. The settings are: number, room."
            ),
        )
    ]


def test_a_setting_that_a_medium_needs_is_told(settings: Any) -> None:
    settings.MEDIA_PLUGINS = [EMAIL, SMS]
    settings.SMS_GATEWAY_ADDRESS = ""
    assert complaints() == [
        (
            "notifier.E004",
            (
                "SMS_GATEWAY_ADDRESS is not set, and the medium 'sms' needs it. "
                "Set SMS_GATEWAY_ADDRESS, or take the medium out of MEDIA_PLUGINS."
            ),
        )
    ]
    settings.MEDIA_PLUGINS = [EMAIL]
    assert complaints() == []


@pytest.mark.parametrize(
    "address",
    [
        "sms",
        "@example.com",
        "sms@",
        "sms+x@example.com",
        "+@example.com",
        "a b@example.com",
        "Gateway <sms@example.com>",
    ],
)
def test_a_gateway_that_could_take_no_sms_is_told(settings: Any, address: str) -> None:
    settings.SMS_GATEWAY_ADDRESS = address
    assert complaints() == [
        (
            "notifier.E005",
            (
                "SMS_GATEWAY_ADDRESS should be: address of the e-mail to SMS gateway, "
                "such as sms@example.com (no plus: the number has it)."
            ),
        )
    ]


@pytest.mark.parametrize("address", ["sms@example.com", "sms.gate-way@example.com"])
def test_a_gateway_is_an_ordinary_address(settings: Any, address: str) -> None:
    settings.SMS_GATEWAY_ADDRESS = address
    assert complaints() == []


def test_sentinels_without_the_name_they_know_the_redis_by_are_refused(settings: Any) -> None:
    settings.NOTIFIER_REDIS_URL = "sentinel://127.0.0.1:26379/0"
    settings.NOTIFIER_REDIS_MASTER = "mymaster"
    assert complaints() == []
    settings.NOTIFIER_REDIS_MASTER = ""
    [(id_, sentence)] = complaints()
    assert id_ == "notifier.E008"
    assert sentence.startswith("NOTIFIER_REDIS_MASTER is not set, and NOTIFIER_REDIS_URL names")
