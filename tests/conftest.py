"""What every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from notifier import queueing
from notifier.matching import current
from notifier.models import (
    DestinationConfig,
    Filter,
    NotificationProfile,
    Source,
)
from notifier.testing.scripted_smtp import point_mail_at
from servers.inbox import Inbox
from servers.redis import RedisServer
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis, shared by a process's tests: flush what you use."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def inbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    """A real SMTP server, shared by a process's tests."""
    with Inbox(tmp_path_factory.mktemp("inbox")) as server:
        yield server


@pytest.fixture
def inbox(inbox_server: Inbox, settings: Settings) -> Inbox:
    """An empty inbox that Django's mail goes to."""
    inbox_server.clear()
    point_mail_at(inbox_server.smtp_port, settings)
    return inbox_server


def send_mail_by(backend: str, settings: Settings, **options: object) -> None:
    """Make Django send by the backend of a dotted path, in its old way and its new."""
    if hasattr(settings, "MAILERS"):
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = backend
        for name, value in options.items():
            setattr(settings, f"EMAIL_{name.upper()}", value)


@pytest.fixture
def queue() -> Iterator[RecordingQueue]:
    """The queue that the domain nudges, empty."""
    queueing._load.cache_clear()
    found = queueing.get_queue()
    assert isinstance(found, RecordingQueue)
    yield found
    queueing._load.cache_clear()


@pytest.fixture(autouse=True)
def _no_profiles_of_another_test() -> None:
    current.forget()


@pytest.fixture
def source(db: None) -> Source:
    """A source named shop."""
    return Source.objects.create(name="shop")


@pytest.fixture
def anna(db: None, django_user_model: type[User]) -> User:
    """A user with an address, and so with everything of the first day."""
    return django_user_model.objects.create_user("anna", email="anna@example.org")


def add_profile(
    user: User,
    conditions: dict[str, object],
    *destinations: DestinationConfig,
    name: str = "a profile",
) -> NotificationProfile:
    """Make a profile of one filter, always open, to the given (or the synced) destinations."""
    profile = NotificationProfile.objects.create(
        user=user, name=name, timeslot=user.timeslots.get(name="All the time")
    )
    profile.filters.add(Filter.objects.create(user=user, name=name, conditions=conditions))
    profile.destinations.set(destinations or user.destinations.filter(managed=True))
    return profile


def add_phone(user: User, number: str = "+4790909090") -> DestinationConfig:
    """Make an SMS destination."""
    destination = DestinationConfig(user=user, media_id="sms", settings={"phone_number": number})
    destination.full_clean(exclude=["fingerprint"])
    destination.save()
    return destination
