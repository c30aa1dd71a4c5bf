"""Destinations' settings in the database: encrypted, on every way in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext

from notifier.errors import SettingsUnreadable
from notifier.fingerprint import fingerprint
from notifier.models import DestinationConfig
from notifier.models.settings_field import Stored
from notifier.resealing import reseal_all
from tests.conftest import add_phone

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

SECRET = "S3CR3T-0123456789-abcd"
WHOLE, HALF = {"address": SECRET}, {"address": "ok-1", "token": SECRET}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(autouse=True)
def media(settings: Settings) -> None:
    """Two media with secrets beside the two without."""
    plugins = ["tests.plugins.Counting", "tests.plugins.Half"]
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, *plugins]


@pytest.fixture
def whole(anna: User) -> DestinationConfig:
    """Of a medium that does not say what is secret."""
    return DestinationConfig.objects.create(user=anna, media_id="counting", settings=WHOLE)


@pytest.fixture
def half(anna: User) -> DestinationConfig:
    """Of a medium that does."""
    return DestinationConfig.objects.create(user=anna, media_id="half", settings=HALF)


def columns() -> dict[int, dict[str, Any]]:
    """Return what is really in the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, settings FROM notifier_destinationconfig")
        return {pk: json.loads(text) for pk, text in cursor.fetchall()}


def write(pk: int, column: dict[str, Any]) -> None:
    """Write to the table behind everybody's back."""
    with connection.cursor() as cursor:
        sql = "UPDATE notifier_destinationconfig SET settings = %s WHERE id = %s"
        cursor.execute(sql, [json.dumps(column), pk])


def load(destination: DestinationConfig) -> DestinationConfig:
    return DestinationConfig.objects.get(pk=destination.pk)


# in and out


def test_what_is_no_secret_stays_readable_in_sql(anna: User) -> None:
    phone = add_phone(anna)
    assert columns()[phone.pk] == {"phone_number": "+4790909090"}
    assert columns()[anna.destinations.get(managed=True).pk] == {"email_address": anna.email}


def test_a_medium_that_names_nothing_has_its_settings_sealed_whole(
    whole: DestinationConfig,
) -> None:
    assert columns()[whole.pk].keys() == {"$sealed"}
    assert load(whole).settings == WHOLE


def test_of_others_the_named_fields_alone(half: DestinationConfig) -> None:
    column = columns()[half.pk]
    assert column.keys() == {"address", "$sealed"}
    assert SECRET not in str(column)
    assert load(half).settings == HALF


def test_settings_are_a_plain_dict_which_can_be_changed_in_place(half: DestinationConfig) -> None:
    found = load(half)
    assert type(found.settings) is dict
    found.settings["token"] = "another"
    found.save()
    assert load(half).settings == {"address": "ok-1", "token": "another"}
    assert half.settings == HALF
    half.refresh_from_db()
    assert half.settings["token"] == "another"


READING: dict[str, Callable[[int], Any]] = {
    "get": lambda pk: DestinationConfig.objects.get(pk=pk),
    "only": lambda pk: DestinationConfig.objects.only("label").get(pk=pk),
    "defer": lambda pk: DestinationConfig.objects.defer("user", "fingerprint").get(pk=pk),
    "iterator": lambda pk: next(DestinationConfig.objects.filter(pk=pk).iterator()),
    "related": lambda pk: DestinationConfig.objects.select_related("user").get(pk=pk),
    "raw": lambda pk: next(
        iter(
            DestinationConfig.objects.raw(
                "SELECT * FROM notifier_destinationconfig WHERE id = %s", [pk]
            )
        )
    ),
}


@pytest.mark.parametrize("way", READING)
def test_every_way_to_load_a_row_reads_them(half: DestinationConfig, way: str) -> None:
    assert READING[way](half.pk).settings == HALF


def test_a_bulk_of_new_rows_is_sealed(anna: User) -> None:
    many = [
        DestinationConfig(user=anna, media_id="half", settings={**HALF, "address": f"ok-{n}"})
        for n in range(3)
    ]
    for each in many:
        each.clean()
    DestinationConfig.objects.bulk_create(many)
    assert SECRET not in str(columns())
    found = DestinationConfig.objects.filter(media_id="half").order_by("pk")
    assert [each.settings for each in found] == [each.settings for each in many]


def test_the_log_of_sql_has_no_secret(anna: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "django.db.backends")
    with CaptureQueriesContext(connection):
        row = DestinationConfig.objects.create(user=anna, media_id="half", settings={**HALF})
        row.settings["token"] = f"{SECRET}-new"
        row.save()
    assert "$sealed" in caplog.text
    assert SECRET not in caplog.text


def test_values_give_nothing_to_read(half: DestinationConfig, anna: User) -> None:
    [(found,)] = DestinationConfig.objects.filter(pk=half.pk).values_list("settings")
    assert isinstance(found, Stored)
    assert "gAAAA" not in f"{found!r}{found}"
    plain = anna.destinations.filter(managed=True).values_list("settings", flat=True)
    assert list(plain) == [{"email_address": anna.email}]


def rewrite(**changes: Any) -> Callable[[DestinationConfig], Any]:
    return lambda _: DestinationConfig.objects.update(**changes)


def search(**conditions: Any) -> Callable[[DestinationConfig], Any]:
    return lambda _: DestinationConfig.objects.filter(**conditions)


def bulk_update(row: DestinationConfig) -> None:
    DestinationConfig.objects.bulk_update([row], ["settings"])


FIELD: str = "settings__token"
"""No literal for mypy, whose plugin for Django fails at what is refused."""
REFUSED: dict[str, Callable[[DestinationConfig], Any]] = {
    "update": rewrite(settings=WHOLE),
    "update with nothing": rewrite(settings={}),
    "bulk_update": bulk_update,
    "filter": search(settings=WHOLE),
    "filter by a field": search(settings__token=SECRET),
    "filter by a key": search(settings__has_key="token"),
    "get_or_create": lambda row: DestinationConfig.objects.get_or_create(
        user=row.user, settings=HALF
    ),
    "values of a field": lambda _: DestinationConfig.objects.values(FIELD),
    "a field of it": lambda _: DestinationConfig.objects.annotate(x=F(FIELD)),
    "order by a field": lambda _: DestinationConfig.objects.order_by(FIELD),
}
REFUSAL = "settings are encrypted|settings can't be searched|Join on 'settings' not permitted"


@pytest.mark.parametrize("way", REFUSED)
def test_what_would_pass_by_the_encryption_is_refused(half: DestinationConfig, way: str) -> None:
    before = columns()
    with (
        pytest.raises(FieldError, match=REFUSAL) as refused,
        transaction.atomic(),
    ):
        list(REFUSED[way](half))
    assert columns() == before
    assert SECRET not in str(refused.value)


def test_a_row_of_an_older_release_is_read_and_sealed_when_it_is_saved(
    half: DestinationConfig,
) -> None:
    write(half.pk, HALF)
    found = load(half)
    assert found.settings == HALF
    found.save(update_fields=["label"])
    assert columns()[half.pk] == HALF
    found.save()
    assert SECRET not in str(columns())
    assert load(half).settings == HALF


def test_what_a_row_is_bound_to_is_saved_together(half: DestinationConfig) -> None:
    half.settings = {"address": "ok-2", "token": "new"}
    half.save(update_fields=["label"])
    found = load(half)
    assert found.settings == {"address": "ok-2", "token": "new"}
    assert found.fingerprint == fingerprint("half", "ok-2")


def test_saving_another_field_leaves_settings_alone_that_changed_meanwhile(
    half: DestinationConfig,
) -> None:
    stale = load(half)
    half.settings = {"address": "ok-2", "token": "new"}
    half.save()
    stale.label = "mine"
    stale.save(update_fields=["label"])
    found = load(half)
    assert (found.label, found.settings["token"]) == ("mine", "new")


def test_a_destination_that_changes_hands_is_sealed_for_its_new_owner(
    half: DestinationConfig, django_user_model: type[User]
) -> None:
    assert half.settings
    half.user = django_user_model.objects.create_user("bob")
    half.save(update_fields=["user"])
    assert load(half).settings == HALF


def test_fixtures_hold_them_sealed(half: DestinationConfig, anna: User, tmp_path: Path) -> None:
    before = columns()
    fixture = tmp_path / "destinations.json"
    call_command("dumpdata", "notifier.destinationconfig", output=str(fixture), verbosity=0)
    assert SECRET not in fixture.read_text()
    for at_first in (lambda: None, DestinationConfig.objects.all().delete):
        at_first()
        call_command("loaddata", str(fixture), verbosity=0)
        assert columns().keys() == before.keys()
        assert SECRET not in str(columns())
        assert load(half).settings == HALF
        assert anna.destinations.get(managed=True).settings == {"email_address": anna.email}


def test_a_fixture_written_by_hand_is_sealed(anna: User, tmp_path: Path) -> None:
    fields = {"user": anna.pk, "media_id": "half", "settings": HALF, "fingerprint": "f" * 64}
    fields["created"] = "2026-11-23T12:00:00Z"
    fixture = tmp_path / "destinations.json"
    row = {"model": "notifier.destinationconfig", "pk": 700, "fields": fields}
    fixture.write_text(json.dumps([row]))
    call_command("loaddata", str(fixture), verbosity=0)
    assert SECRET not in str(columns())
    assert DestinationConfig.objects.get(pk=700).settings == HALF


def test_any_form_shows_masks_and_takes_them_back(half: DestinationConfig) -> None:
    form_class = modelform_factory(DestinationConfig, fields=("label", "settings"))
    form = form_class(instance=load(half))
    assert form.initial["settings"] == {"address": "ok-1", "token": "••••abcd"}
    assert SECRET not in form.as_p()
    shown = json.dumps(form.initial["settings"])
    data = {"label": "mine", "settings": shown, "initial-settings": shown}
    form = form_class(data, instance=load(half))
    assert form.changed_data == ["label"]
    form.save()
    assert load(half).settings == HALF


# what can't be read


def lose_the_key(_row: DestinationConfig, settings: Settings) -> None:
    settings.NOTIFIER_ENCRYPTION_KEYS = [NEW]


def tamper(row: DestinationConfig, _settings: Settings) -> None:
    column = columns()[row.pk]
    write(row.pk, {**column, "$sealed": column["$sealed"][:-9] + "AAAAAAAA="})


def copy(row: DestinationConfig, _settings: Settings) -> None:
    other = DestinationConfig.objects.create(
        user=row.user, media_id="half", settings={"address": "ok-9", "token": "x"}
    )
    write(row.pk, columns()[other.pk])


UNREADABLE = [lose_the_key, tamper, copy]


@pytest.mark.parametrize("spoil", UNREADABLE)
def test_what_can_not_be_read_says_so_when_it_is_looked_at_and_not_before(
    half: DestinationConfig, settings: Settings, spoil: Callable[..., None]
) -> None:
    spoil(half, settings)
    found = load(half)
    assert str(found) == "Counting of anna"
    assert found.shown_label == "Counting"
    for _ in range(2):
        with pytest.raises(SettingsUnreadable) as refused:
            _ = found.settings
        assert "anew" in str(refused.value)
        assert "gAAAA" not in str(refused.value)
    with pytest.raises(ValidationError) as invalid:
        found.clean()
    assert invalid.value.message_dict == {"settings": [str(refused.value)]}
    found.settings = HALF
    found.save()
    assert load(half).settings == HALF


def test_another_users_copy_of_the_whole_row_can_not_be_read(
    half: DestinationConfig, django_user_model: type[User]
) -> None:
    bob = django_user_model.objects.create_user("bob")
    DestinationConfig.objects.filter(pk=half.pk).update(user=bob)
    with pytest.raises(SettingsUnreadable, match="encrypted for another destination"):
        _ = load(half).settings


# rotation


@pytest.fixture
def rows(anna: User, settings: Settings) -> dict[int, dict[str, Any]]:
    """Seven rows by the old key, which is the second now; two of them of media without secrets."""
    settings.NOTIFIER_ENCRYPTION_KEYS = [OLD]
    add_phone(anna)
    for number in range(5):
        DestinationConfig.objects.create(
            user=anna, media_id="half", settings={"address": f"ok-{number}", "token": SECRET}
        )
    settings.NOTIFIER_ENCRYPTION_KEYS = [NEW, OLD]
    return {each.pk: each.settings for each in DestinationConfig.objects.all()}


def rotate() -> str:
    out = StringIO()
    call_command("rotatekeys", stdout=out)
    return out.getvalue()


def test_after_rotating_the_old_key_may_go(
    rows: dict[int, dict[str, Any]], settings: Settings
) -> None:
    assert rotate() == "5 of 7 destinations were stored anew.\n"
    settings.NOTIFIER_ENCRYPTION_KEYS = [NEW]
    assert {each.pk: each.settings for each in DestinationConfig.objects.all()} == rows
    before = columns()
    assert rotate() == "0 of 7 destinations were stored anew.\n"
    assert columns() == before


def test_rotating_goes_on_where_it_was_broken_off(rows: dict[int, dict[str, Any]]) -> None:
    steps = reseal_all(batch=4)
    assert next(steps).seen == 4
    assert sum(step.changed for step in reseal_all(batch=4)) == 3
    assert sum(step.changed for step in reseal_all(batch=4)) == 0


def test_rotating_seals_what_was_plain_and_opens_what_is_no_secret_any_more(
    rows: dict[int, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = max(rows)
    write(row, rows[row])
    assert rotate().startswith("5 of 7")
    assert SECRET not in str(columns())
    monkeypatch.setattr("tests.plugins.Half.SECRETS", ())
    assert rotate().startswith("5 of 7")
    assert columns() == rows


def test_rotating_leaves_the_plain_rows_of_an_unknown_medium_alone(
    rows: dict[int, dict[str, Any]], settings: Settings
) -> None:
    before = columns()
    settings.MEDIA_PLUGINS = ["notifier.media.email.EmailNotification"]
    assert rotate() == "5 of 7 destinations were stored anew.\n"
    after = columns()
    assert [pk for pk in rows if after[pk] == before[pk]] == sorted(rows)[:2]


def test_rotating_names_what_can_not_be_read_and_does_the_rest(
    rows: dict[int, dict[str, Any]], settings: Settings
) -> None:
    row = max(rows)
    write(row, {"address": "ok-4", "$sealed": "nonsense"})
    out = StringIO()
    with pytest.raises(CommandError, match=rf"^1 can't be read \(ids {row}\): put the key back"):
        call_command("rotatekeys", stdout=out)
    assert out.getvalue() == "4 of 7 destinations were stored anew.\n"
    assert columns()[row] == {"address": "ok-4", "$sealed": "nonsense"}
