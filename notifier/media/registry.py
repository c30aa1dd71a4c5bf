"""Which media this site has: `MEDIA_PLUGINS`, loaded on first use."""

from __future__ import annotations

from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from notifier import conf
from notifier.media.base import NotificationMedium
from notifier.media.contract import slug_problem


@cache
def _load(paths: tuple[str, ...]) -> dict[str, NotificationMedium]:
    media: dict[str, NotificationMedium] = {}
    for path in paths:
        medium = load_plugin(path)
        if (other := media.get(medium.MEDIA_SLUG)) is not None:
            raise ImproperlyConfigured(
                f"{conf.MEDIA_PLUGINS.name}: {path} and {type(other).__qualname__} "
                f"both have the slug {medium.MEDIA_SLUG!r}; keep one."
            )
        media[medium.MEDIA_SLUG] = medium
    return media


def load_plugin(path: str) -> NotificationMedium:
    """Import one plugin; raise `ImproperlyConfigured` with a sentence where that can't be."""
    try:
        plugin = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {path!r} can't be imported ({error}). "
            "Give the dotted path of a NotificationMedium class, and install its package."
        ) from error
    if not (isinstance(plugin, type) and issubclass(plugin, NotificationMedium)):
        raise ImproperlyConfigured(
            f"{conf.MEDIA_PLUGINS.name}: {path!r} is no subclass of "
            "notifier.media.base.NotificationMedium."
        )
    if problem := slug_problem(plugin):
        raise ImproperlyConfigured(f"{conf.MEDIA_PLUGINS.name}: {path!r}: {problem}")
    return plugin()


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
