"""Which media a site has."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifier import media
from notifier.media import registry
from notifier.media.base import NotificationMedium
from notifier.media.email import EmailNotification
from notifier.media.registry import all_media, find_medium, get_medium, load_plugin
from notifier.media.sms_as_email import SMSNotification

EMAIL = "notifier.media.email.EmailNotification"
SMS = "notifier.media.sms_as_email.SMSNotification"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

Install = Callable[..., None]


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


# --- installed plugins


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install packages whose only content is an entry point: `install("acme", pager="a.b:C")`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(package: str, **plugins: str) -> None:
        directory = tmp_path / f"{package}-1.0.dist-info"
        directory.mkdir()
        (directory / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        lines = [f"{slug} = {plugin}\n" for slug, plugin in plugins.items()]
        (directory / "entry_points.txt").write_text("[notifier.media]\n" + "".join(lines))

    return add


def test_an_installed_plugin_is_had_by_its_slug(settings: Any, install: Install) -> None:
    install("acme", counting="tests.plugins:Counting")
    settings.MEDIA_PLUGINS = [EMAIL, "counting"]
    assert {slug: type(medium).__name__ for slug, medium in all_media().items()} == {
        "email": "EmailNotification",
        "counting": "Counting",
    }


def test_an_installed_plugin_that_is_not_named_is_not_imported(
    settings: Any, install: Install
) -> None:
    install("acme", counting="no.such:Medium")
    settings.MEDIA_PLUGINS = [EMAIL]
    assert list(all_media()) == ["email"]


def refusal(item: str) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        load_plugin(item)
    return str(refused.value)


@pytest.mark.parametrize("slug", ["pigeon", ""])
def test_an_unknown_slug_is_told_with_those_installed(slug: str, install: Install) -> None:
    install("acme", counting="tests.plugins:Counting", babbling="tests.plugins:Babbling")
    said = refusal(slug)
    assert said.startswith(f"MEDIA_PLUGINS: no installed package has a medium {slug!r}; there are ")
    assert "babbling, counting" in said


def test_a_slug_that_two_packages_claim_is_refused(install: Install) -> None:
    install("acme", pager="acme:Pager")
    install("brand", pager="brand:Pager")
    assert refusal("pager") == (
        "MEDIA_PLUGINS: 'pager' is claimed by acme.Pager of acme and brand.Pager of brand. "
        "Give the dotted path of the one you want, or uninstall the other."
    )


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        (
            "no.such:Medium",
            (
                "MEDIA_PLUGINS: 'pager' (no.such:Medium of acme) can't be imported (No module named "
                "'no'). Reinstall that package, or take the medium out."
            ),
        ),
        ("tests.plugins:Gone", "MEDIA_PLUGINS: 'pager' (tests.plugins:Gone of acme) can't be "),
        (
            "tests.plugins:Counting",
            (
                "MEDIA_PLUGINS: the plugin installed as 'pager' has the MEDIA_SLUG 'counting'. Ask its "
                "author to name both alike; until then give its dotted path, tests.plugins.Counting."
            ),
        ),
        ("os:path", "MEDIA_PLUGINS: 'pager' is no subclass of notifier."),
        ("notifier.media.base:NotificationMedium", "MEDIA_PLUGINS: 'pager': MEDIA_SLUG must hold "),
    ],
)
def test_an_installed_plugin_that_can_not_be_had_is_told(
    plugin: str, sentence: str, install: Install
) -> None:
    install("acme", pager=plugin)
    assert refusal("pager").startswith(sentence)


def test_a_plugin_that_breaks_when_imported_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install
) -> None:
    (tmp_path / "broken_plugin.py").write_text("1 / 0")
    install("acme", pager="broken_plugin:Pager")
    for item in ("pager", "broken_plugin.Pager"):
        assert "can't be imported (ZeroDivisionError: division by zero)" in refusal(item)


def subclasses(of: type[NotificationMedium]) -> Iterator[type[NotificationMedium]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_bundled_medium_can_be_had_by_its_slug() -> None:
    for module in pkgutil.iter_modules(media.__path__, "notifier.media."):
        import_module(module.name)
    bundled = {
        each.MEDIA_SLUG: f"{each.__module__}:{each.__name__}"
        for each in subclasses(NotificationMedium)
        if each.__module__.startswith("notifier.media.") and hasattr(each, "MEDIA_SLUG")
    }
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert project["entry-points"]["notifier.media"] == bundled
