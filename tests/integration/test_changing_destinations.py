"""Validating, changing and deleting destinations as Argus does, through the medium's class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError

from notifier.media.base import NotificationMedium
from notifier.media.email import EmailNotification
from notifier.media.sms_as_email import SMSNotification
from notifier.models import DestinationConfig
from tests.conftest import add_phone, add_profile
from tests.plugins import Counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def synced(user: User) -> DestinationConfig:
    return user.destinations.get(managed=True)


def test_a_valid_destination_is_a_form_with_clean_data(anna: User) -> None:
    data = {
        "label": "mobile",
        "media": "sms",
        "settings": {"phone_number": "+47 909 09 090"},
    }
    assert SMSNotification.validate(data, anna).cleaned_data == {
        "label": "mobile",
        "media": "sms",
        "settings": {"phone_number": "+4790909090"},
        "user": anna,
    }


def test_what_a_change_does_not_name_stays(anna: User) -> None:
    phone = add_phone(anna)
    phone.label = "mobile"
    form = SMSNotification.validate({"media": phone.media}, anna, phone)
    assert form.cleaned_data["label"] == "mobile"
    assert form.cleaned_data["settings"] == {"phone_number": "+4790909090"}


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (
            {"settings": {"phone_number": "5"}},
            {
                "settings": [
                    "phone_number: Write the number with its country, such as +47 909 09 090."
                ]
            },
        ),
        ({"settings": 5}, {"settings": ['Settings must be an object like {"phone_number": …}.']}),
        ({}, {"settings": ["phone_number: This field is required."]}),
        (
            {"media": "email"},
            {"media": ["This is a destination of SMS; make another for 'email'."]},
        ),
        (
            {"label": "x" * 151, "settings": {"phone_number": "+4790909091"}},
            {"label": ["Ensure this value has at most 150 characters (it has 151)."]},
        ),
        (
            {"settings": {"phone_number": "+47 909 09 090"}},
            {"settings": ["This user has a destination with that address already."]},
        ),
    ],
)
def test_what_is_wrong_is_said_of_its_field(
    anna: User, data: dict[str, Any], problems: dict[str, list[str]]
) -> None:
    add_phone(anna)
    with pytest.raises(ValidationError) as refused:
        SMSNotification.validate(data, anna)
    assert refused.value.message_dict == problems


def test_a_destination_stays_its_owners(anna: User, django_user_model: type[User]) -> None:
    bob = django_user_model.objects.create_user("bob")
    with pytest.raises(ValidationError, match="A destination stays its owner's"):
        SMSNotification.validate({}, bob, add_phone(anna))


def test_a_duplicate_is_found_in_any_spelling(anna: User) -> None:
    everything = DestinationConfig.objects.all()
    assert EmailNotification.has_duplicate(everything, {"email_address": "ANNA@example.org"})
    assert not EmailNotification.has_duplicate(everything, {"email_address": "bob@example.org"})


def test_a_mediums_own_destinations_and_addresses_are_picked_out(anna: User) -> None:
    phone = add_phone(anna)
    everything = list(anna.destinations.all())
    assert SMSNotification.get_relevant_destinations(everything) == {phone}
    assert SMSNotification.get_relevant_addresses(everything) == {"+4790909090"}
    assert SMSNotification.get_relevant_address(phone) == "+4790909090"
    assert SMSNotification.get_label(phone) == "+4790909090"


def test_a_synced_destination_can_not_be_deleted(anna: User) -> None:
    with pytest.raises(NotificationMedium.NotDeletableError) as refused:
        EmailNotification.raise_if_not_deletable(synced(anna))
    assert str(refused.value) == (
        "This destination can't be deleted: it follows its user's e-mail address."
    )


def test_one_in_use_can_not_be_deleted_until_it_is_taken_out(anna: User) -> None:
    phone = add_phone(anna)
    profile = add_profile(anna, {"max_level": 1}, phone, name="at night")
    assert list(phone.notification_profiles.all()) == [profile]
    with pytest.raises(SMSNotification.NotDeletableError, match=r"it is used by .*at night"):
        SMSNotification.raise_if_not_deletable(phone)
    profile.destinations.clear()
    SMSNotification.raise_if_not_deletable(phone)


def test_a_changed_synced_address_is_the_users_own_and_a_new_synced_one_appears(anna: User) -> None:
    former = synced(anna)
    own = add_profile(anna, {"max_level": 1}, former, name="mine")
    changed = EmailNotification.update(
        former,
        {"label": "work", "settings": {"email_address": "anna@work.example", "synced": True}},
    )
    assert changed == former
    former.refresh_from_db()
    assert (former.managed, former.label, former.settings) == (
        False,
        "work",
        {"email_address": "anna@work.example"},
    )
    new = synced(anna)
    assert new != former
    assert (new.label, new.settings) == ("", {"email_address": "anna@example.org"})
    addressed = anna.notification_profiles.get(managed=True)
    assert set(addressed.destinations.all()) == {former, new}
    assert set(own.destinations.all()) == {former}


def test_a_synced_one_may_be_renamed(anna: User) -> None:
    settings = {"email_address": "anna@example.org", "synced": True}
    EmailNotification.update(synced(anna), {"label": "mine", "settings": settings})
    assert synced(anna).label == "mine"
    assert anna.destinations.count() == 1


def test_any_other_is_just_changed(anna: User) -> None:
    phone = add_phone(anna)
    SMSNotification.update(phone, {"settings": {"phone_number": "+4790909091"}})
    phone.refresh_from_db()
    assert (phone.label, phone.settings) == ("", {"phone_number": "+4790909091"})
    assert anna.destinations.count() == 2


def test_settings_are_refused_only_once(anna: User) -> None:
    destination = DestinationConfig(user=anna, media_id="email", settings={"email_address": "x"})
    with pytest.raises(ValidationError) as refused:
        destination.full_clean()
    assert list(refused.value.message_dict) == ["settings"]


def test_beside_one_that_can_not_be_read_others_are_added_and_it_is_written_anew(
    anna: User, settings: Any
) -> None:
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, "tests.plugins.Counting"]
    lost = DestinationConfig(user=anna, media_id="counting", settings={"address": "ok-1"})
    lost.save()
    settings.NOTIFIER_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    lost = DestinationConfig.objects.get(pk=lost.pk)
    DestinationConfig(user=anna, media_id="counting", settings={"address": "ok-2"}).full_clean(
        exclude=["fingerprint"]
    )
    data = {"media": "counting", "settings": {"address": "ok-3"}}
    form = Counting.validate(data, anna, lost)
    Counting.update(lost, form.cleaned_data)
    assert DestinationConfig.objects.get(pk=lost.pk).settings == {"address": "ok-3"}
