"""What became of an event, person by person: from the rows, and from what the inbox caught."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from demo.people import PEOPLE, Person
from notifier.matching.judging import judge
from notifier.matching.rules import Rule, facts_of, load_rules
from notifier.models import Delivery, Event, NotificationProfile
from servers.inbox import CaughtMessage

MEDIA = {"email": "e-mail", "sms": "SMS"}
_UNFINISHED = {Delivery.State.PENDING, Delivery.State.SENDING}


@dataclass(frozen=True)
class Told:
    """One delivery to a person, as far as it has come."""

    medium: str
    address: str
    caught_after_s: float | None
    """Seconds from the event's acceptance until the inbox had it."""
    problem: str = ""
    """Why it was not sent, where that is certain."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected."""
        return self.caught_after_s is not None or bool(self.problem)


@dataclass(frozen=True)
class Share:
    """What one person got of an event, or why not."""

    person: Person
    told: Sequence[Told]
    refusals: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What became of an event so far."""

    event: Event
    shares: Sequence[Share]
    dispatched: bool

    @property
    def local_time(self) -> dt.datetime:
        """When it happened, by the clocks of Oslo."""
        return timezone.localtime(self.event.timestamp)

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected."""
        return self.dispatched and all(told.settled for each in self.shares for told in each.told)


def look(event_id: UUID, caught: Sequence[CaughtMessage]) -> Outcome:
    """Look at an event's rows, and for its messages in the inbox."""
    event = Event.objects.select_related("source", "incident").get(pk=event_id)
    # Found by Message-ID, which holds the delivery's key: text alone could be another event's.
    by_key = {each["headers"].get("Message-ID", "")[1:].partition("@")[0]: each for each in caught}
    deliveries = list(event.deliveries.select_related("user").order_by("-medium", "pk"))
    shares = []
    for person in PEOPLE:
        mine = [each for each in deliveries if each.user.get_username() == person.username]
        told = [_told(each, event, by_key) for each in mine]
        shares.append(Share(person, told, () if told else _refusals(person, event)))
    return Outcome(event, shares, dispatched=event.state != Event.State.ACCEPTED)


def _told(delivery: Delivery, event: Event, by_key: Mapping[str, CaughtMessage]) -> Told:
    medium = MEDIA.get(delivery.medium, delivery.medium)
    message = by_key.get(delivery.message_key)
    if message is not None:
        caught_at = dt.datetime.fromisoformat(message["received"])
        after = (caught_at - event.received).total_seconds()
        return Told(medium, ", ".join(message["to"]), after)
    given_up = delivery.state not in {*_UNFINISHED, Delivery.State.SENT}
    problem = f"{delivery.state}: {delivery.get_reason_display()}" if given_up else ""
    return Told(medium, delivery.destination_label, None, problem)


def _refusals(person: Person, event: Event) -> list[str]:
    """Return why none of a person's profiles wants the event, each reason once."""
    rules = load_rules(NotificationProfile.objects.filter(user__username=person.username))
    if event.recipients is None:
        # "Addressed to me" would say of each event that it is not; that explains nothing
        rules = [rule for rule in rules if not rule.profile.managed] or rules
    return list(dict.fromkeys(filter(None, (_refusal(rule, event) for rule in rules))))


def _refusal(rule: Rule, event: Event) -> str:
    refusal = judge(rule, facts_of(event), event.timestamp, timezone.now())
    return refusal.sentence if refusal else ""
