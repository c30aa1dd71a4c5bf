"""The admin shows masks: in no page, in no history and in no report of an error is a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter

from notifier.models import DestinationConfig

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

SECRET = "S3CR3T-0123456789-abcd"
OTHER = "S3CR3T-9876543210-efgh"
MASKED = {"address": "ok-1", "token": "••••abcd"}


@pytest.fixture
def row(anna: User, settings: Settings) -> DestinationConfig:
    """A destination with a secret beside its address."""
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, "tests.plugins.Half"]
    return DestinationConfig.objects.create(
        user=anna, media_id="half", settings={"address": "ok-1", "token": SECRET}
    )


def page_of(row: DestinationConfig, page: str = "change") -> str:
    return reverse(f"admin:notifier_destinationconfig_{page}", args=[row.pk])


def save(client: Client, row: DestinationConfig, settings: object, **fields: Any) -> Any:
    data = {"user": row.user_id, "media_id": "half", "label": "", **fields}
    return client.post(
        page_of(row), {**data, "settings": json.dumps(settings), "initial-settings": "{}"}
    )


def stored(row: DestinationConfig) -> Any:
    return DestinationConfig.objects.get(pk=row.pk).settings


def test_the_page_shows_a_mask_and_saving_it_keeps_the_secret(
    admin_client: Client, row: DestinationConfig
) -> None:
    answer = admin_client.get(page_of(row))
    assert SECRET not in answer.content.decode()
    shown = answer.context["adminform"].form["settings"].value()
    assert json.loads(shown) == MASKED
    assert save(admin_client, row, MASKED, label="mine").status_code == 302
    assert stored(row) == {"address": "ok-1", "token": SECRET}
    save(admin_client, row, {"address": "ok-1", "token": OTHER})
    assert stored(row)["token"] == OTHER


def test_the_mask_of_another_secret_is_refused(
    admin_client: Client, row: DestinationConfig
) -> None:
    answer = save(admin_client, row, {"address": "ok-1", "token": "••••efgh"})
    assert answer.context["adminform"].form.errors["settings"] == [
        "token: write the whole value; or leave it as it was shown, to keep it."
    ]
    assert stored(row)["token"] == SECRET


def test_history_and_lists_have_no_secret(admin_client: Client, row: DestinationConfig) -> None:
    save(admin_client, row, {"address": "ok-1", "token": OTHER})
    add = reverse("admin:notifier_destinationconfig_add")
    settings = json.dumps({"address": "ok-2", "token": SECRET})
    admin_client.post(add, {"user": row.user_id, "media_id": "half", "settings": settings})
    assert DestinationConfig.objects.filter(media_id="half").count() == 2
    for url in (
        page_of(row, "history"),
        page_of(row, "delete"),
        reverse("admin:notifier_destinationconfig_changelist"),
        reverse("admin:index"),
    ):
        assert "S3CR3T" not in admin_client.get(url).content.decode()
    assert LogEntry.objects.count() == 2
    assert "S3CR3T" not in str(list(LogEntry.objects.values()))


def test_who_may_only_look_sees_masks(
    client: Client, row: DestinationConfig, django_user_model: type[User]
) -> None:
    bob = django_user_model.objects.create_user("bob", is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename="view_destinationconfig"))
    client.force_login(bob)
    text = client.get(page_of(row)).content.decode()
    assert "••••abcd" in text
    assert SECRET not in text


def test_what_can_not_be_read_has_a_page_on_which_to_write_it_anew(
    admin_client: Client, client: Client, row: DestinationConfig, settings: Settings
) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    text = admin_client.get(page_of(row)).content.decode()
    assert "no key of NOTIFIER_ENCRYPTION_KEYS opens these settings" in text
    assert admin_client.get(page_of(row, "delete")).status_code == 200
    answer = save(admin_client, row, {})
    assert "This field is required." in answer.context["adminform"].form.errors["settings"]
    answer = save(admin_client, row, MASKED)
    errors = answer.context["adminform"].form.errors["settings"]
    assert "token: write the whole value" in str(errors)
    save(admin_client, row, {"address": "ok-1", "token": OTHER})
    assert stored(row) == {"address": "ok-1", "token": OTHER}


def test_a_report_of_an_error_has_none_of_what_was_posted(
    admin_client: Client,
    row: DestinationConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("tests.plugins.Half.validate_settings", fail)
    admin_client.raise_request_exception = False
    caplog.set_level("DEBUG")
    answer = save(admin_client, row, {"address": "ok-1", "token": OTHER})
    assert answer.status_code == 500
    reporter = ExceptionReporter(answer.wsgi_request, *answer.exc_info)
    assert "RuntimeError" in reporter.get_traceback_text()
    assert "S3CR3T" not in reporter.get_traceback_text()
    assert "S3CR3T" not in caplog.text
