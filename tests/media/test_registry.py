"""Which media a site has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifier.media import registry
from notifier.media.email import EmailNotification
from notifier.media.registry import all_media, find_medium, get_medium, load_plugin
from notifier.media.sms_as_email import SMSNotification

EMAIL = "notifier.media.email.EmailNotification"
SMS = "notifier.media.sms_as_email.SMSNotification"


class OtherEmail(EmailNotification):
    """A site's own e-mail, under the same slug."""


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    registry._load.cache_clear()
    yield
    registry._load.cache_clear()


def test_e_mail_is_on_by_default(settings: Any) -> None:
    del settings.MEDIA_PLUGINS
    assert list(all_media()) == ["email"]


def test_the_media_are_those_of_the_setting_in_its_order(settings: Any) -> None:
    settings.MEDIA_PLUGINS = [SMS, EMAIL]
    assert {slug: type(medium) for slug, medium in all_media().items()} == {
        "sms": SMSNotification,
        "email": EmailNotification,
    }
    assert list(all_media()) == ["sms", "email"]
    settings.MEDIA_PLUGINS = (EMAIL,)
    assert list(all_media()) == ["email"]


def test_a_site_may_have_none(settings: Any) -> None:
    settings.MEDIA_PLUGINS = []
    assert all_media() == {}


def test_a_process_has_one_instance_of_each(settings: Any) -> None:
    settings.MEDIA_PLUGINS = [EMAIL]
    assert find_medium("email") is get_medium("email") is all_media()["email"]


def test_a_medium_that_the_site_lacks_is_none_or_a_sentence(settings: Any) -> None:
    settings.MEDIA_PLUGINS = [EMAIL]
    assert find_medium("sms") is None
    with pytest.raises(ImproperlyConfigured) as refused:
        get_medium("sms")
    assert str(refused.value) == (
        "MEDIA_PLUGINS: no plugin has the slug 'sms'; add the one that has."
    )


def test_two_plugins_of_one_slug_are_refused(settings: Any) -> None:
    other = f"{OtherEmail.__module__}.OtherEmail"
    settings.MEDIA_PLUGINS = [EMAIL, SMS, other]
    with pytest.raises(ImproperlyConfigured) as refused:
        all_media()
    assert str(refused.value) == (
        f"MEDIA_PLUGINS: {other} and EmailNotification both have the slug 'email'; keep one."
    )


def test_a_plugin_is_made_from_its_path() -> None:
    assert isinstance(load_plugin(SMS), SMSNotification)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nonsense", "MEDIA_PLUGINS: 'nonsense' can't be imported (nonsense doesn't look like"),
        ("", "MEDIA_PLUGINS: '' can't be imported ("),
        ("no.such.Medium", "MEDIA_PLUGINS: 'no.such.Medium' can't be imported (No module named"),
        (f"{EMAIL}s", f"MEDIA_PLUGINS: '{EMAIL}s' can't be imported (Module"),
        ("django.forms.Form", "MEDIA_PLUGINS: 'django.forms.Form' is no subclass of notifier."),
        ("os.path.join", "MEDIA_PLUGINS: 'os.path.join' is no subclass of notifier.media.base."),
    ],
)
def test_what_is_no_plugin_is_refused_with_a_sentence(path: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        load_plugin(path)
    assert str(refused.value).startswith(sentence)
