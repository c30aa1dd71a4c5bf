"""What outcomes mean for the gates of their hosts and destinations."""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from notifier import conf
from notifier.breaker import Circuit, Heard, pause_s
from notifier.errors import Breaker, Reason
from notifier.media.base import NotificationMedium, Outcome
from notifier.models import Delivery, DestinationConfig, Gate
from notifier.retrying import parking_s

log = logging.getLogger(__name__)

Ended = Sequence[tuple[Delivery, Outcome]]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose gate: a host's of a medium ("" is the medium's own), or a destination's."""

    host: str = ""
    destination: int | None = None


def heard_of(outcome: Outcome) -> Heard:
    """Return what an outcome says of its host."""
    return Heard(outcome.breaker, slow=outcome.duration_s > conf.SEND_TIMEOUT_S() / 2)


def hear(medium: NotificationMedium, ended: Ended) -> set[str]:
    """Open and close breakers, park what asked for it, disable destinations that are gone.

    Return the hosts whose breaker is open. Part of the transaction that records these outcomes;
    while all is well it costs one query.
    """
    heard: dict[Whose, list[Outcome]] = defaultdict(list)
    for delivery, outcome in ended:
        heard[Whose(host=delivery.host)].append(outcome)
        heard[Whose(destination=delivery.destination_id)].append(outcome)
    slug = medium.MEDIA_SLUG
    known = {
        Whose(gate.host, gate.destination_id)
        for gate in Gate.objects.filter(_those(slug, heard)).order_by()
        if gate.failures or gate.trips or gate.window_until
    }
    concerned = [whose for whose in heard if whose in known or _concerns(whose, heard[whose])]
    if not concerned:
        return set()
    gates = _locked(slug, concerned)
    for whose, gate in gates.items():
        if whose.destination is None:
            _hear_of_host(gate, heard[whose])
        else:
            _hear_of_destination(gate, heard[whose], medium.GONE_AFTER)
        gate.save()
    return {whose.host for whose, gate in gates.items() if gate.trips}


def close(slug: str, waits: Mapping[Whose, float]) -> None:
    """Close the gates of limits that are full, for so many seconds."""
    if not waits:
        return
    with transaction.atomic():
        for whose, gate in _locked(slug, waits).items():
            _park(gate, waits[whose])
            gate.save()


def pause(slug: str, host: str = "") -> None:
    """Hold back a medium, or one of its hosts, until `resume`; what is being sent goes on."""
    with transaction.atomic():
        for gate in _locked(slug, [Whose(host)]).values():
            gate.paused = True
            gate.save()
    log.warning("%s is paused by an operator", f"{slug}, {host}" if host else slug)


def resume(slug: str, host: str = "") -> bool:
    """Open the gate of a medium or a host, its breaker too; return whether it was closed."""
    return bool(open_all(Gate.objects.filter(medium=slug, host=host, destination=None)))


def open_all(gates: QuerySet[Gate]) -> int:
    """Open gates, whatever closed them; return how many there are."""
    return gates.update(
        paused=False,
        closed_until=None,
        probe_until=None,
        reason="",
        failures=0,
        trips=0,
        window_until=None,
    )


def _those(slug: str, whose: Iterable[Whose]) -> Q:
    hosts = {each.host for each in whose if each.destination is None}
    destinations = {each.destination for each in whose if each.destination is not None}
    return Q(medium=slug, host__in=hosts, destination=None) | Q(destination__in=destinations)


def _locked(slug: str, whose: Iterable[Whose]) -> dict[Whose, Gate]:
    """Return gates, made where missing, locked in one order; `changed` is the database's time."""
    wanted = [each.destination for each in whose if each.destination is not None]
    # held, because a gate of a destination that is deleted meanwhile would spoil the transaction
    held = DestinationConfig.objects.filter(pk__in=wanted).order_by("pk")
    held = held.select_for_update(no_key=True)
    there = {None, *held.values_list("pk", flat=True)}
    Gate.objects.bulk_create(
        [
            Gate(medium=slug, host=each.host, destination_id=each.destination)
            # in one order, so that two workers can't wait for each other
            for each in sorted(whose, key=lambda each: (each.host, each.destination or 0))
            if each.destination in there
        ],
        ignore_conflicts=True,
    )
    locked = Gate.objects.filter(_those(slug, whose)).order_by("pk").select_for_update()
    gates: dict[Whose, Gate] = {}
    for gate in locked.annotate(now=Now()):
        gate.changed = gate.now
        gates[Whose(gate.host, gate.destination_id)] = gate
    return gates


def _concerns(whose: Whose, outcomes: Iterable[Outcome]) -> bool:
    reasons = {outcome.reason for outcome in outcomes if outcome.reason}
    if whose.destination is not None:
        return any(reason.disables or reason is Reason.RATE_LIMITED for reason in reasons)
    return any(
        outcome.whole_host or outcome.breaker in {Breaker.COUNTS, Breaker.OPENS}
        for outcome in outcomes
    )


def _hear_of_host(gate: Gate, outcomes: Sequence[Outcome]) -> None:
    heard = [heard_of(outcome) for outcome in outcomes]
    if gate.trips and gate.closed_until and gate.closed_until > gate.changed:
        # a failure that was on its way when the breaker opened says nothing new
        heard = [each for each in heard if each.what is Breaker.WELL]
    before = gate.trips
    circuit = _circuit(gate).after(heard, gate.changed)
    gate.failures, gate.trips = circuit.failures, circuit.trips
    gate.window_until = circuit.window_until
    gate.window_failed, gate.window_total = circuit.window_failed, circuit.window_total
    gate.probe_until = None
    if circuit.trips > before:
        chance = random.random()  # noqa: S311 - jitter
        pause = pause_s(circuit.trips, conf.BREAKER_PAUSE_S(), chance)
        gate.reason = [outcome.reason for outcome in outcomes if outcome.reason][-1]
        gate.closed_until = gate.changed + dt.timedelta(seconds=pause)
        level = logging.INFO if before else logging.WARNING
        log.log(level, "%s: the breaker opened (%s) for %.0f s", gate, gate.reason, pause)
    elif before and not circuit.trips:
        gate.reason, gate.closed_until = "", None
        log.warning("%s: the breaker closed, it answers again", gate)
    for outcome in outcomes:
        if outcome.whole_host:
            _park(gate, parking_s(outcome.retry_after_s))


def _circuit(gate: Gate) -> Circuit:
    return Circuit(
        gate.failures, gate.trips, gate.window_until, gate.window_failed, gate.window_total
    )


def _hear_of_destination(gate: Gate, outcomes: Iterable[Outcome], gone_after: int) -> None:
    for outcome in outcomes:
        if outcome.reason and outcome.reason.disables:
            gate.failures += 1
        elif outcome.reason is None:
            gate.failures = 0
        if outcome.reason is Reason.RATE_LIMITED and not outcome.whole_host:
            _park(gate, parking_s(outcome.retry_after_s))
        if gate.failures >= gone_after:
            _disable(gate, Reason.GONE)


def _park(gate: Gate, seconds: float) -> None:
    until = gate.changed + dt.timedelta(seconds=seconds)
    if gate.closed_until is None or gate.closed_until < until:
        gate.closed_until, gate.reason = until, Reason.RATE_LIMITED


def _disable(gate: Gate, reason: Reason) -> None:
    enabled = DestinationConfig.objects.filter(gate=gate, disabled_at=None)
    if enabled.update(disabled_at=Now(), disabled_reason=reason):
        log.warning("%s is disabled (%s): the other side says that it is gone", gate, reason)
    gate.failures = 0
