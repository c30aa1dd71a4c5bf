"""Apprise: any service that library reaches by HTTP and an operator allows.

Users give one of its URLs, in which the secrets are: https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError

from notifier import conf
from notifier.deadlines import Deadline
from notifier.errors import PermanentError, Reason, TemporaryError
from notifier.guard import guarded
from notifier.media.base import Destination, NotificationMedium
from notifier.messages import render
from notifier.texts import one_line, plain

try:
    from apprise import Apprise, AppriseAsset, NotifyBase, NotifyType
    from apprise.manager_attachment import AttachmentManager
    from apprise.manager_plugins import NotificationManager
except ImportError as error:
    raise ImportError(f'{error}: pip install "notifier-worker[apprise]"') from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notifier.models import Event

# a URL's argument could name a file of this machine, to be read and sent
AttachmentManager().remove("file")  # type: ignore[no-untyped-call]
# its lines quote URLs and the services' answers
logging.getLogger("apprise").addFilter(lambda _record: False)

_ASSET = AppriseAsset(app_id="Notifier", app_desc="Notifier", app_url="", async_mode=False)
NOT_HTTP = frozenset({"asyncio", "smtplib", "socket", "ssl", "subprocess", "syslog"})
"""Modules of services that connect, or touch this machine, in ways that nothing guards."""
READS_FILES = frozenset({"keyfile", "subfile"})
NO_URL = "This is no URL of an Apprise service that it could send to; see that service's page in Apprise's wiki."


@dataclass(frozen=True, slots=True)
class Message:
    """One event for any service."""

    title: str
    body: str
    type: NotifyType


def refused_service(schema: str) -> str:
    """Return why a service can't be allowed, or an empty text."""
    services = NotificationManager()  # type: ignore[no-untyped-call]
    if schema not in services:
        return "Apprise has no such service"
    plugin = services[schema]
    used = {
        each.__name__
        for each in vars(sys.modules[plugin.__module__]).values()
        if isinstance(each, ModuleType)
    }
    if "requests" not in used or used & NOT_HTTP:
        return "it is not by HTTP alone, so nothing guards this machine and its network from it"
    if READS_FILES & {*plugin.template_args, *plugin.template_tokens}:
        return "its URLs may name files of this machine, which it would read"
    return ""


def service_at(url: str) -> NotifyBase:
    """Return Apprise's service of a URL; raise `ValidationError` where it may not be used."""
    schema = url.partition("://")[0].strip().lower()
    if schema not in conf.APPRISE_SERVICES():
        allowed = ", ".join(f"{each}://" for each in conf.APPRISE_SERVICES())
        raise ValidationError(f"This service is not allowed here; those that are: {allowed}.")
    found = Apprise.instantiate(url, asset=_ASSET)
    if not isinstance(found, NotifyBase):
        raise ValidationError(NO_URL)
    if not found.verify_certificate:
        raise ValidationError("verify=no is not allowed: certificates are always verified.")
    return found


class ServiceField(forms.CharField):
    """A URL of an allowed service."""

    def clean(self, value: Any) -> str:
        """Validate."""
        url: str = super().clean(value)
        service_at(url)
        return url


class AppriseNotification(NotificationMedium):
    """Sends by Apprise to what `NOTIFIER_APPRISE_SERVICES` allows.

    Wherever a service connects to, redirects and proxies included, `notifier.http`'s rules hold for
    addresses and ports. Apprise says only whether it went well, so every failure is tried again.
    The templates: `notifier/apprise/title.txt`, `body.txt` (`notifier.messages`).
    """

    MEDIA_SLUG = "apprise"
    MEDIA_NAME = "Apprise"
    MEDIA_SETTINGS_KEY = "url"
    SECRETS: ClassVar[Sequence[str] | None] = ("url",)
    TITLE_LENGTH = 140
    BODY_LENGTH = 1800
    """Characters; many services take 2,000 in all. Beyond them the description is cut."""
    CONCURRENCY = 8
    RETRY_DELAYS = (10, 60, 300, 1800, 7200)  # a wrong token looks like a failure that may pass
    REQUIRED_SETTINGS = (conf.APPRISE_SERVICES.name,)

    class Form(forms.Form):
        """One URL."""

        url = ServiceField(max_length=2048, label="Apprise URL")

    def __init__(self) -> None:
        """Refuse a site's list that names what can't be allowed."""
        for schema in conf.APPRISE_SERVICES():
            if why := refused_service(schema):
                raise ImproperlyConfigured(
                    f"{conf.APPRISE_SERVICES.name}: {schema!r} can't be allowed: {why}."
                )

    def get_host(self, settings: Mapping[str, Any]) -> str:
        """Return the host in the URL where a user chose one, else the service's name."""
        try:
            service = service_at(settings["url"])
        except ValidationError:
            return "not allowed"  # said when it is to be sent
        # where a user chooses none, Apprise keeps a token in `host`
        host = service.host if "host" in service.template_tokens else ""
        return str(host or service.service_name).lower()

    @classmethod
    def get_label(cls, destination: Any) -> str:
        """Return the service's name: all else may be secret."""
        try:
            return str(service_at(destination.settings["url"]).service_name)
        except ValidationError:
            return cls.MEDIA_NAME

    def render(self, event: Event) -> Message:
        """Fill the templates with the event."""
        title = render(self.MEDIA_SLUG, "title.txt", event, limit=self.TITLE_LENGTH)
        body = render(self.MEDIA_SLUG, "body.txt", event, limit=self.BODY_LENGTH)
        return Message(
            title=one_line(title),
            body=plain(body).strip(),
            type=_type(event),
        )

    def send_one(self, message: Message, destination: Destination, session: None) -> str:  # noqa: ARG002 - there is none
        """Send through a service made anew: it keeps no state that another could see."""
        try:
            service = service_at(destination.settings["url"])
        except ValidationError:
            raise PermanentError(Reason.REJECTED, "this service is not allowed any more") from None
        limit_s = conf.SEND_TIMEOUT_S()
        service.socket_connect_timeout = service.socket_read_timeout = limit_s / 2
        service.retry = 0
        service.throttle = _throttle  # type: ignore[method-assign]
        with guarded(Deadline(limit_s)):
            went_well = service.notify(
                title=message.title, body=message.body, notify_type=message.type
            )
        if not went_well:
            # no failure of the host's: a wrong token looks alike, and others send there too
            raise TemporaryError(Reason.DEFERRED, "the service refused it or did not answer")
        return "accepted"


def _throttle(*_args: object, wait: float | None = None, **_options: object) -> None:
    """Sleep never, as Apprise would, for as long as the other side says."""
    if wait:
        raise TemporaryError(Reason.RATE_LIMITED, "the service asks for a pause", retry_after=wait)


def _type(event: Event) -> NotifyType:
    if event.type in event.CLOSING:
        return NotifyType.SUCCESS
    by_level = {1: NotifyType.FAILURE, 2: NotifyType.FAILURE, 3: NotifyType.WARNING}
    return by_level.get(event.level, NotifyType.INFO)
