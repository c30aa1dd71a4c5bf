"""`config.settings`: everything from the environment, wrong things with a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent.parent
SECRETS = {
    "SECRET_KEY": "a1b2c" * 12,
    "NOTIFIER_FINGERPRINT_KEY": "d3e4f" * 12,
    "NOTIFIER_ENCRYPTION_KEYS": "e5f6g7h8" * 5 + "abc=",
}
SHOW = """
import json, sys
from django.core.exceptions import ImproperlyConfigured
try:
    from config import settings
except ImproperlyConfigured as error:
    print(json.dumps(f"refused: {error}"))
else:
    print(json.dumps(eval(sys.argv[1], vars(settings)), default=str))
"""


def shown(expression: str, environment: dict[str, str]) -> object:
    """Return what an expression of the settings is in an environment that holds only this."""
    ended = subprocess.run(
        [sys.executable, "-c", SHOW, expression],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [None, "", "x" * 31])
def test_a_secret_that_is_missing_or_short_is_named(name: str, value: str | None) -> None:
    environment = {**SECRETS, **({} if value is None else {name: value})}
    if value is None:
        del environment[name]
    said = str(shown("SECRET_KEY", environment))
    assert said.startswith(f"refused: {name} must be at least 32 random characters (")
    assert f"Set {name} or {name}_FILE" in said


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    environment = {}
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value)
        environment[f"{name}_FILE"] = str(tmp_path / name)
    (tmp_path / "database").write_text("postgres://anna:S3CR3T@db.example/notifier")
    environment["DATABASE_URL_FILE"] = str(tmp_path / "database")
    expression = (
        "[SECRET_KEY, NOTIFIER_FINGERPRINT_KEY, *NOTIFIER_ENCRYPTION_KEYS,"
        " DATABASES['default']['PASSWORD']]"
    )
    assert shown(expression, environment) == [*SECRETS.values(), "S3CR3T"]


@pytest.mark.parametrize(
    "url", ["mysql://localhost/notifier", "nonsense://x", "nonsense", "", "postgres://a:b@h:x/n"]
)
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    assert shown("DATABASES", {**SECRETS, "DATABASE_URL": url}) == (
        "refused: DATABASE_URL must be postgres://user:password@host/name "
        "or sqlite:////absolute/path"
    )


@pytest.mark.parametrize("url", ["nonsense", "http://mail.example", "", "smtp://a:S3/CR3T@h:25"])
def test_a_mail_server_that_can_not_be_is_refused(url: str) -> None:
    assert shown("1", {**SECRETS, "EMAIL_URL": url}) == (
        "refused: EMAIL_URL must be smtp+tls://user:password@host:587, smtp+ssl://…:465 "
        "or smtp://host:25."
    )


def test_accepted_means_durable_on_sqlite(tmp_path: Path) -> None:
    environment = {**SECRETS, "DATABASE_URL": f"sqlite:///{tmp_path}/db"}
    options = shown("DATABASES['default']['OPTIONS']", environment)
    assert isinstance(options, dict)
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_the_environment_decides() -> None:
    environment = {
        **SECRETS,
        "REDIS_URL": "redis://redis.example/3",
        "MEDIA_PLUGINS": "a.B, c.D, ",
        "SMS_GATEWAY_ADDRESS": "sms@example.com",
        "SEND_NOTIFICATIONS": "false",
        "NOTIFIER_DEFAULT_SOURCE": "intranet",
        "NOTIFIER_ALLOWED_HOSTS": "notifier.example,localhost",
        "NOTIFIER_HTTP_ALLOWED_NETWORKS": "10.20.0.0/16,fd00::/8",
        "NOTIFIER_HTTP_ALLOWED_PORTS": "8080,8443",
    }
    expression = (
        "[NOTIFIER_REDIS_URL, MEDIA_PLUGINS, SMS_GATEWAY_ADDRESS, SEND_NOTIFICATIONS,"
        " NOTIFIER_DEFAULT_SOURCE, ALLOWED_HOSTS, NOTIFIER_HTTP_ALLOWED_NETWORKS,"
        " NOTIFIER_HTTP_ALLOWED_PORTS]"
    )
    assert shown(expression, environment) == [
        "redis://redis.example/3",
        ["a.B", "c.D"],
        "sms@example.com",
        False,
        "intranet",
        ["notifier.example", "localhost"],
        ["10.20.0.0/16", "fd00::/8"],
        [8080, 8443],
    ]


def test_mail_goes_another_way_where_a_backend_is_named() -> None:
    backend = "anymail.backends.postmark.EmailBackend"
    environment = {
        **SECRETS,
        "EMAIL_URL": "smtp+tls://user:password@mail.example.org:587",
        "EMAIL_BACKEND": backend,
        "ANYMAIL": '{"POSTMARK_SERVER_TOKEN": "S3CR3T"}',
    }
    expression = "[mail()['EMAIL_BACKEND'], ANYMAIL['POSTMARK_SERVER_TOKEN']]"
    assert shown(expression, environment) == [backend, "S3CR3T"]
    del environment["EMAIL_BACKEND"]
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    assert shown("mail()['EMAIL_BACKEND']", environment) == smtp
    assert shown("mail()['EMAIL_BACKEND']", SECRETS) == smtp


def test_without_a_word_it_is_production_with_e_mail_alone() -> None:
    expression = (
        "[DEBUG, SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE, SEND_NOTIFICATIONS, MEDIA_PLUGINS]"
    )
    assert shown(expression, SECRETS) == [
        False,
        True,
        True,
        True,
        ["notifier.media.email.EmailNotification"],
    ]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("NOTIFIER_LEASE_S", "abc", "NOTIFIER_LEASE_S must be a number, such as 300.0."),
        ("EMAIL_PORT", "smtp", "EMAIL_PORT must be a number, such as 25."),
        (
            "NOTIFIER_HTTP_ALLOWED_PORTS",
            "8080,web",
            "NOTIFIER_HTTP_ALLOWED_PORTS must be numbers with commas, such as 8080,8443.",
        ),
        (
            "ANYMAIL",
            '{"POSTMARK_SERVER_TOKEN": S3CR3T}',
            'ANYMAIL must be JSON, such as {"POSTMARK_SERVER_TOKEN": "…"}.',
        ),
        (
            "NOTIFIER_TEMPLATES",
            "/tmp, /no/such",
            "NOTIFIER_TEMPLATES must be directories with commas; /no/such is none.",
        ),
        ("NOTIFIER_TIME_ZONE", "Oslo", "NOTIFIER_TIME_ZONE must be a name such as Europe/Oslo."),
        ("NOTIFIER_LANGUAGE", "no", "NOTIFIER_LANGUAGE must be one of Django's, such as en or nb."),
        (
            "SECRET_KEY_FILE",
            "/no/such",
            "SECRET_KEY_FILE can't be read: No such file or directory.",
        ),
    ],
)
def test_a_value_that_cannot_be_is_named(name: str, value: str, sentence: str) -> None:
    assert shown("1", {**SECRETS, name: value}) == f"refused: {sentence}"


def test_the_newline_at_a_files_end_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("S3CR3T\n")
    found = shown(
        "env('EMAIL_HOST_PASSWORD')",
        {**SECRETS, "EMAIL_HOST_PASSWORD_FILE": str(tmp_path / "password")},
    )
    assert found == "S3CR3T"


def test_templates_of_enabled_plugins_are_found_and_nothing_is_imported_for_them(
    tmp_path: Path,
) -> None:
    for name in ("by_slug", "by_path", "not_enabled"):
        (tmp_path / name / "templates" / "notifier" / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError")
        (tmp_path / name / "templates" / "notifier" / name / "body.txt").write_text(name)
    (tmp_path / "by_slug-1.0.dist-info").mkdir()
    (tmp_path / "by_slug-1.0.dist-info" / "METADATA").write_text("Name: by_slug\nVersion: 1.0\n")
    (tmp_path / "by_slug-1.0.dist-info" / "entry_points.txt").write_text(
        "[notifier.media]\npager = by_slug.medium:Pager\nother = not_enabled.medium:Other\n"
    )
    environment = {
        **SECRETS,
        "PYTHONPATH": str(tmp_path),
        "MEDIA_PLUGINS": "email,pager,by_path.medium.Post,gone.medium.Gone,unheard_of,.odd",
        "NOTIFIER_TEMPLATES": str(tmp_path),
    }
    assert shown("TEMPLATES[0]['DIRS']", environment) == [
        str(tmp_path),
        str(tmp_path / "by_slug" / "templates"),
        str(tmp_path / "by_path" / "templates"),
    ]
