"""Every table of Notifier."""

from notifier.models.api_token import ApiToken, Scope
from notifier.models.change import Change
from notifier.models.daily_count import DailyCount
from notifier.models.delivery import Attempt, Delivery
from notifier.models.destination import DestinationConfig
from notifier.models.event import Event, Incident, IngestTry, QuarantinedEvent
from notifier.models.gate import Gate
from notifier.models.heartbeat import Heartbeat
from notifier.models.person import Preferences
from notifier.models.profile import Filter, NotificationProfile
from notifier.models.signing_secret import SigningSecret
from notifier.models.source import Source, SourceToken
from notifier.models.timeslot import TimeRecurrence, Timeslot

__all__ = [
    "ApiToken",
    "Attempt",
    "Change",
    "DailyCount",
    "Delivery",
    "DestinationConfig",
    "Event",
    "Filter",
    "Gate",
    "Heartbeat",
    "Incident",
    "IngestTry",
    "NotificationProfile",
    "Preferences",
    "QuarantinedEvent",
    "Scope",
    "SigningSecret",
    "Source",
    "SourceToken",
    "TimeRecurrence",
    "Timeslot",
]
