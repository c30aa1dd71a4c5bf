"""What every medium must do, whatever it sends through."""

from __future__ import annotations

import json
import logging
import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ValidationError
from django.db.backends.base.base import BaseDatabaseWrapper
from jsonschema import Draft202012Validator

from notifier.errors import Reason
from notifier.limits import Rate
from notifier.media import calling
from notifier.media.base import Destination, Medium, NotificationMedium, Outcome, Status
from notifier.models import Event
from notifier.testing.events import FIELDS, HOSTILE, a_hostile_event, an_event

SECRET = "S3CR3T"  # noqa: S105 - it stands for one
LIMIT_S = 0.5
"""How long a send may take in the tests of time limits, instead of `NOTIFIER_SEND_TIMEOUT_S`."""
GRACE_S = 2.0
"""What a slow machine may take beside."""
MANY = 20


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as it arrived: for which recipient, with which headers (names in lower case)."""

    number: int
    headers: Mapping[str, str]
    text: str


class Provider(ABC):
    """What a medium sends to, on this machine: it takes everything, unless told otherwise."""

    @abstractmethod
    def settings_of(self, number: int) -> dict[str, Any]:
        """Return the settings of a recipient: another one for each number, with secrets in them."""

    @abstractmethod
    def taken(self) -> list[Taken]:
        """Return what has arrived, oldest first, also what was answered by `later`."""

    @abstractmethod
    def refuse(self, number: int) -> None:
        """Refuse one recipient for good, quoting the address or URL."""

    @abstractmethod
    def answer_later(self) -> None:
        """From now on read each message, and answer it by a temporary failure."""

    @abstractmethod
    def take_again(self) -> None:
        """From now on take everything, as at the beginning."""


class MediumConformance:
    """Tests that every medium passes.

    A subclass names its `medium`, and has a fixture `provider`; the classes for HTTP and mail have one.
    """

    medium: ClassVar[type[NotificationMedium]]
    bad_settings: ClassVar[Sequence[tuple[Mapping[str, Any], str]]] = ()
    """Settings to be refused, each with the field that the sentence must name."""
    same_address: ClassVar[Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]] = ()
    """Pairs of settings in two spellings that lead to the same recipient."""
    no_address: ClassVar[Sequence[object]] = (None, "", " ", [], {}, "\0")
    """What can't be the value of `MEDIA_SETTINGS_KEY`."""

    @pytest.fixture
    def provider(self) -> Iterator[Provider]:
        """What the medium sends to."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `provider`")

    def valid_settings(self, number: int) -> dict[str, Any]:
        """Return settings as a user types them, another recipient for each number."""
        raise NotImplementedError(f"{type(self).__name__}.valid_settings")

    def check_message(self, taken: Taken) -> None:
        """Assert what your provider asks of a message, such as its size; called with hostile ones."""

    def same_in_a_retry(self, taken: Taken) -> object:
        """Return what must be the same in each try of a delivery: an id, the text."""
        return taken.text

    # --- what a test does

    def destination(self, settings: Mapping[str, Any], key: str = "event.1") -> Destination:
        """Return a destination, as the worker would hand it over."""
        media = Medium(self.medium.MEDIA_SLUG, self.medium.MEDIA_NAME)
        return Destination(
            message_key=key, pk=1, media=media, settings=settings, label="", username="anna"
        )

    def send(self, event: Event, *destinations: Destination) -> list[Outcome]:
        """Send through a session of its own."""
        medium = self.medium()
        with medium.session() as session:
            return list(calling.send(medium, event, iter(destinations), session))

    def send_one(self, settings: Mapping[str, Any], event: Event | None = None) -> Outcome:
        """Send one event to one destination."""
        [outcome] = self.send(event or an_event(), self.destination(settings))
        return outcome

    def refusal(self, settings: object) -> list[str]:
        """Return the sentences by which settings are refused."""
        with pytest.raises(ValidationError) as refused:
            self.medium().validate_settings(settings)
        return refused.value.messages

    # --- what it says of itself

    def test_it_says_what_it_is(self) -> None:
        assert re.fullmatch(r"[a-z0-9_-]{1,50}", self.medium.MEDIA_SLUG)
        assert self.medium.MEDIA_NAME.strip()
        assert self.medium.MEDIA_SETTINGS_KEY in self.medium.Form.base_fields

    def test_its_policy_can_be_followed(self) -> None:
        medium = self.medium
        assert all(n >= 1 for n in (medium.BATCH_SIZE, medium.CONCURRENCY, medium.GONE_AFTER))
        assert all(delay > 0 for delay in medium.RETRY_DELAYS)
        rates = (medium.RATE_LIMIT, medium.HOST_RATE_LIMIT, medium.DESTINATION_RATE_LIMIT)
        assert all(isinstance(rate, Rate) for scope in rates for rate in scope)
        assert not isinstance(medium.REQUIRED_SETTINGS, str)

    # --- settings

    def test_settings_are_stored_as_json_and_stay_the_same(self) -> None:
        typed = self.valid_settings(1)
        kept = self.medium().validate_settings(dict(typed))
        assert json.loads(json.dumps(kept)) == kept
        assert self.medium().validate_settings(kept) == kept
        assert set(typed) <= set(kept)

    @pytest.mark.parametrize("given", [None, "x", 5, ["x"], [("a", "b")]])
    def test_settings_that_are_no_object_are_refused_with_an_example(self, given: object) -> None:
        assert any(self.medium.MEDIA_SETTINGS_KEY in said for said in self.refusal(given))

    def test_a_field_that_is_unknown_is_refused_by_its_name(self) -> None:
        [said] = self.refusal({**self.valid_settings(1), "nonsense": "x"})
        assert "nonsense" in said

    def test_an_address_that_is_none_is_refused_by_its_field(self) -> None:
        key = self.medium.MEDIA_SETTINGS_KEY
        for value in self.no_address:
            said = self.refusal({**self.valid_settings(1), key: value})
            assert {each.partition(":")[0] for each in said} == {key}, (value, said)

    def test_settings_that_lack_the_address_are_refused_by_its_field(self) -> None:
        settings = self.valid_settings(1)
        del settings[self.medium.MEDIA_SETTINGS_KEY]
        assert any(
            said.startswith(f"{self.medium.MEDIA_SETTINGS_KEY}: ")
            for said in self.refusal(settings)
        )

    def test_a_text_of_100_kb_is_refused_by_its_field(self) -> None:
        settings = self.valid_settings(1)
        for name in [name for name, value in settings.items() if isinstance(value, str)]:
            said = self.refusal({**settings, name: settings[name] + "x" * 100_000})
            assert any(each.startswith(f"{name}: ") for each in said)
            assert all(len(each) < 1000 for each in said)

    def test_its_json_schema_takes_what_its_form_takes(self) -> None:
        Draft202012Validator.check_schema(self.medium.MEDIA_JSON_SCHEMA)
        check = Draft202012Validator(self.medium.MEDIA_JSON_SCHEMA).is_valid
        assert check(self.valid_settings(1))
        assert not check({})
        assert not check("x")

    def test_bad_settings_are_refused_by_the_field_at_fault(self) -> None:
        for settings, field in self.bad_settings:
            said = self.refusal(settings)
            assert any(each.startswith(f"{field}: ") for each in said), (field, said)

    def test_one_recipient_is_one_address_and_another_one_another(self) -> None:
        medium = self.medium()
        pairs = [(self.valid_settings(1), self.valid_settings(1)), *self.same_address]
        for one, other in pairs:
            kept = (medium.validate_settings(dict(each)) for each in (one, other))
            assert len({*map(medium.canonical_address, kept)}) == 1, (one, other)
        two = [medium.validate_settings(self.valid_settings(n)) for n in (1, 2)]
        assert len({*map(medium.canonical_address, two)}) == 2

    # --- sending

    @pytest.mark.parametrize("kind", Event.Type)
    def test_every_type_of_event_is_sent_once(self, provider: Provider, kind: Event.Type) -> None:
        outcome = self.send_one(provider.settings_of(1), an_event(kind))
        assert (outcome.status, outcome.reason) == (Status.SENT, None)
        assert [taken.number for taken in provider.taken()] == [1]

    @pytest.mark.parametrize("kind", [Event.Type.STATELESS, Event.Type.START])
    @pytest.mark.parametrize("field", FIELDS)
    def test_hostile_text_arrives_as_text(
        self, provider: Provider, field: str, kind: Event.Type
    ) -> None:
        self.send_one(provider.settings_of(1), an_event(kind))
        [tame] = provider.taken()
        for number, (what, text) in enumerate(HOSTILE.items(), start=2):
            event = a_hostile_event(kind, field, text)
            outcome = self.send_one(provider.settings_of(number), event)
            assert (what, outcome.status, outcome.answer) == (what, Status.SENT, outcome.answer)
            *before, taken = provider.taken()
            assert len(before) == number - 1, what
            assert taken.number == number, what
            assert sorted(taken.headers) == sorted(tame.headers), what
            assert not re.search(r"[\x00-\x1f\x7f]", "".join(taken.headers.values())), what
            self.check_message(taken)

    def test_one_recipient_that_is_refused_spoils_no_other(self, provider: Provider) -> None:
        provider.refuse(2)
        destinations = [self.destination(provider.settings_of(n), f"event.{n}") for n in (1, 2, 3)]
        outcomes = self.send(an_event(), *destinations)
        assert [each.destination for each in outcomes] == destinations
        assert [each.status is Status.SENT for each in outcomes] == [True, False, True]
        assert outcomes[1].reason is not Reason.BUG
        assert {taken.number for taken in provider.taken()} >= {1, 3}

    def test_a_retry_is_the_same_message(self, provider: Provider) -> None:
        event = an_event()
        provider.answer_later()
        later = self.send_one(provider.settings_of(1), event)
        assert (later.status, later.reason is Reason.BUG) == (Status.TEMPORARY, False)
        provider.take_again()
        assert self.send_one(provider.settings_of(1), event).status is Status.SENT
        one, other = map(self.same_in_a_retry, provider.taken())
        assert one == other

    def test_one_instance_serves_several_threads(self, provider: Provider) -> None:
        medium, event = self.medium(), an_event()
        count = max(medium.CONCURRENCY, 4)
        outcomes: list[Outcome] = []
        start = threading.Barrier(count)

        def work(first: int) -> None:
            numbers = range(first, first + MANY)
            to = (self.destination(provider.settings_of(n), f"event.{n}") for n in numbers)
            start.wait(timeout=10)
            with medium.session() as session:
                outcomes.extend(calling.send(medium, event, to, session))

        threads = [threading.Thread(target=work, args=(n * MANY,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(each.status for each in outcomes) == {Status.SENT: count * MANY}
        assert Counter(each.number for each in provider.taken()) == Counter(range(count * MANY))

    def test_sending_asks_no_database(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr(
            BaseDatabaseWrapper, "ensure_connection", lambda self: asked.append(self.alias)
        )
        outcome = self.send_one(provider.settings_of(1))
        assert (asked, outcome.status) == ([], Status.SENT)

    # --- secrets

    def test_no_secret_and_no_address_is_shown(
        self,
        provider: Provider,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        medium, event = self.medium(), an_event()
        destination = self.destination(provider.settings_of(1))
        shown, statuses = [repr(medium), repr(destination)], []
        for prepare in (provider.take_again, provider.answer_later, lambda: provider.refuse(1)):
            prepare()
            with medium.session() as session:
                [outcome] = calling.send(medium, event, iter([destination]), session)
                shown += [repr(session), repr(outcome), outcome.answer]
                statuses.append(outcome.status)
        shown += [caplog.text, *capfd.readouterr()]
        assert [each is Status.SENT for each in statuses] == [True, False, False]
        key = self.medium.MEDIA_SETTINGS_KEY
        hidden = {key, *self.secret_fields(destination.settings)} & {*destination.settings}
        for secret in [SECRET, *(str(destination.settings[name]) for name in hidden)]:
            assert secret not in "\n".join(shown)

    def test_a_label_and_a_host_hold_no_secret(self, provider: Provider) -> None:
        destination = self.destination(provider.settings_of(1))
        assert SECRET not in self.medium().get_host(destination.settings)
        label = self.medium().get_label(destination)
        for name in {*self.secret_fields(destination.settings)} & {*destination.settings}:
            assert str(destination.settings[name]) not in label

    def secret_fields(self, settings: Mapping[str, Any]) -> Iterable[str]:
        """Return the fields that are secret: all, where the medium doesn't say."""
        return settings if self.medium.SECRETS is None else self.medium.SECRETS
