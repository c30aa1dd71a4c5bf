"""Which media this site has: `MEDIA_PLUGINS`, loaded on first use.

An item with a dot is the dotted path of a class; one without is the slug of a medium that an
installed package offers, as an entry point of that name in the group `notifier.media`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from notifier import conf
from notifier.media.base import NotificationMedium
from notifier.media.contract import slug_problem

ENTRY_POINTS = "notifier.media"
"""The group of entry points that a plugin's package declares its media in."""


@cache
def _load(paths: tuple[str, ...]) -> dict[str, NotificationMedium]:
    media: dict[str, NotificationMedium] = {}
    for path in paths:
        medium = load_plugin(path)
        if (other := media.get(medium.MEDIA_SLUG)) is not None:
            if type(other) is type(medium):
                raise ImproperlyConfigured(
                    f"{conf.MEDIA_PLUGINS.name}: {medium.MEDIA_SLUG!r} is named twice; keep one."
                )
            raise ImproperlyConfigured(
                f"{conf.MEDIA_PLUGINS.name}: {path} and {type(other).__qualname__} "
                f"both have the slug {medium.MEDIA_SLUG!r}; keep one."
            )
        media[medium.MEDIA_SLUG] = medium
    return media


def load_plugin(item: str) -> NotificationMedium:
    """Import one item of the setting: a dotted path, or the slug of an installed plugin.

    Raises `ImproperlyConfigured` with a sentence where that can't be.
    """
    plugin = _load_path(item) if "." in item else _load_slug(item)
    if not (isinstance(plugin, type) and issubclass(plugin, NotificationMedium)):
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {item!r} is no subclass of "
            "notifier.media.base.NotificationMedium."
        )
    if problem := slug_problem(plugin):
        raise ImproperlyConfigured(f"{conf.MEDIA_PLUGINS.name}: {item!r}: {problem}")
    if "." not in item and item != plugin.MEDIA_SLUG:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: the plugin installed as {item!r} has the MEDIA_SLUG "
            f"{plugin.MEDIA_SLUG!r}. Ask its author to name both alike; until then give its "
            f"dotted path, {plugin.__module__}.{plugin.__qualname__}."
        )
    if plugin.SECRETS is not None:
        _check_secrets(item, plugin.SECRETS, list(plugin.Form.base_fields))
    return plugin()


def _check_secrets(item: str, names: object, fields: list[str]) -> None:
    """Refuse a misspelt name: the secret would lie open in the database."""
    if not isinstance(names, list | tuple) or set(names) - set(fields):
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: the SECRETS of {item!r} are {names!r}, and should be a list "
            f"of fields of its Form ({', '.join(fields)}), or None for all of them."
        )


def installed_slugs() -> list[str]:
    """Return the slugs of all media that installed packages offer, enabled or not."""
    return sorted(entry_points(group=ENTRY_POINTS).names)


def _load_path(path: str) -> object:
    try:
        return import_string(path)
    except Exception as error:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {path!r} can't be imported ({_why(error)}). "
            "Give the dotted path of a NotificationMedium class, and install its package."
        ) from error


def _load_slug(slug: str) -> object:
    found = entry_points(group=ENTRY_POINTS, name=slug)
    if not found:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: no installed package has a medium {slug!r}; there are "
            f"{', '.join(installed_slugs()) or 'none'}. Install its package, or give the "
            "dotted path of a NotificationMedium class."
        )
    if len(found) > 1:
        offers = sorted(f"{each.value.replace(':', '.')} of {_package(each)}" for each in found)
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {slug!r} is claimed by {' and '.join(offers)}. "
            "Give the dotted path of the one you want, or uninstall the other."
        )
    [plugin] = found
    try:
        return plugin.load()
    except Exception as error:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {slug!r} ({plugin.value} of {_package(plugin)}) can't be "
            f"imported ({_why(error)}). Reinstall that package, or take the medium out."
        ) from error


def _package(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist else "an unknown package"


def _why(error: Exception) -> str:
    # a plugin's module may raise anything
    return str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"


def all_media() -> dict[str, NotificationMedium]:
    """Return every medium by its slug; raise `ImproperlyConfigured` where one can't be had."""
    return _load(tuple(conf.MEDIA_PLUGINS()))


def find_medium(slug: str) -> NotificationMedium | None:
    """Return the medium of a slug, or None where the site has none."""
    return all_media().get(slug)


def get_medium(slug: str) -> NotificationMedium:
    """Return the medium of a slug; raise `ImproperlyConfigured` where the site has none."""
    medium = find_medium(slug)
    if medium is None:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: no plugin has the slug {slug!r}; add the one that has."
        )
    return medium
