"""Sources that fall silent."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib import admin
from django.db import OperationalError
from django.db.models import F
from django.forms import model_to_dict
from django.test import Client
from django.utils import timezone

from notifier.intake import heartbeats
from notifier.intake.heartbeats import INCIDENT_KEY, LOOKED, beat, watch
from notifier.intake.sources import source_of_token
from notifier.matching.rules import facts_of
from notifier.models import Event, Heartbeat, Incident, Source, SourceToken
from tests.integration.test_accepting import at_once
from tests.recording import RecordingQueue
from worker import tasks

QUIET, SILENT, BACK = ({"silent": 0, "back": 0} | told for told in ({}, {"silent": 1}, {"back": 1}))
LATEST_S = 70
"""After an interval of 60 s, and the grace, a source is silent."""


@pytest.fixture
def shop(source: Source) -> Source:
    """A source that gives a sign of life each minute, and gave one just now."""
    Source.objects.update(heartbeat_interval=60)
    assert watch() == QUIET
    beat(source)
    return source


def passes(seconds: float, *, watched: bool = True) -> None:
    """Let time pass, by the database's clock: everything happened so much earlier."""
    ago = dt.timedelta(seconds=seconds)
    Source.objects.update(
        last_heartbeat=F("last_heartbeat") - ago,
        heartbeat_since=F("heartbeat_since") - ago,
        silent_since=F("silent_since") - ago,
    )
    Event.objects.update(timestamp=F("timestamp") - ago)
    Incident.objects.update(start_time=F("start_time") - ago, end_time=F("end_time") - ago)
    if not watched:
        Heartbeat.objects.update(at=F("at") - ago)


def told() -> list[tuple[str, str]]:
    """Return the type and text of each event, in their order."""
    return list(Event.objects.order_by("sequence").values_list("type", "description"))


def test_a_source_that_falls_silent_has_one_incident(
    shop: Source, queue: RecordingQueue, django_capture_on_commit_callbacks: Any
) -> None:
    passes(LATEST_S - 1)
    assert watch() == QUIET
    passes(2)
    with django_capture_on_commit_callbacks(execute=True):
        assert [watch(), watch(), watch()] == [SILENT, QUIET, QUIET]
    event = Event.objects.select_related("source").get()
    assert queue.dispatched == [event.pk]
    assert (event.type, event.level, event.open) == ("STA", 2, True)
    assert event.description == (
        "Source shop is silent: its last sign of life was 71 s ago, and one is due every 60 s"
    )
    assert facts_of(event).source == "shop"
    assert event.tags == ["problem_type=missing_heartbeat"]
    assert Incident.objects.get().incident_key == INCIDENT_KEY


def test_it_ends_when_the_source_is_back_and_may_begin_again(shop: Source) -> None:
    passes(LATEST_S + 1)
    assert watch() == SILENT
    passes(5)
    beat(shop)
    assert [watch(), watch()] == [BACK, QUIET]
    assert not Incident.objects.get().open
    passes(LATEST_S + 1)
    assert watch() == SILENT
    assert [kind for kind, _ in told()] == ["STA", "END", "STA"]
    assert told()[1] == ("END", "Source shop is back")
    assert Event.objects.get(sequence=3).open is True


def test_a_source_that_never_spoke_is_told_after_its_first_interval(source: Source) -> None:
    passes(1000)
    Source.objects.update(heartbeat_interval=60)
    assert watch() == QUIET
    passes(LATEST_S - 1)
    assert watch() == QUIET
    passes(2)
    assert watch() == SILENT
    assert told()[0][1] == (
        "Source shop is silent: it has given no sign of life yet, and one is due every 60 s"
    )


def test_a_long_interval_has_a_longer_grace(shop: Source) -> None:
    Source.objects.update(heartbeat_interval=1000)
    passes(1099)
    assert watch() == QUIET
    passes(2)
    assert watch() == SILENT


def test_after_a_break_of_ours_sources_have_their_interval_again(shop: Source) -> None:
    passes(50)
    assert watch() == QUIET
    passes(3600, watched=False)
    assert watch() == QUIET
    passes(LATEST_S - 1)
    assert watch() == QUIET
    passes(2)
    assert watch() == SILENT


def test_a_break_of_ours_acquits_nobody(shop: Source) -> None:
    passes(LATEST_S + 1)
    assert watch() == SILENT
    passes(3600, watched=False)
    assert [watch(), watch()] == [QUIET, QUIET]
    assert Incident.objects.get().open


def test_a_sweep_that_failed_is_a_break_of_ours(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(heartbeats, "_begin", away)
        passes(LATEST_S + 1, watched=False)
        with pytest.raises(OperationalError):
            watch()
    assert watch() == QUIET


def test_a_longer_interval_or_none_ends_it(shop: Source) -> None:
    for interval in (86_400, None):
        Source.objects.update(heartbeat_interval=60)
        passes(LATEST_S + 1)
        assert watch() == SILENT
        Source.objects.update(heartbeat_interval=interval)
        assert watch() == BACK
        assert told()[-1][1] == "Source shop is no longer expected to have given a sign of life"
    passes(5)
    assert watch() == QUIET
    assert Source.objects.get().heartbeat_since is None
    assert watch() == QUIET


def test_an_interval_that_comes_back_begins_anew(shop: Source) -> None:
    Source.objects.update(heartbeat_interval=None)
    watch()
    passes(10_000)
    Source.objects.update(heartbeat_interval=60)
    assert watch() == QUIET
    passes(LATEST_S + 1)
    assert watch() == SILENT


def test_what_somebody_closed_is_not_ended_again(shop: Source) -> None:
    passes(LATEST_S + 1)
    watch()
    Incident.objects.update(open=False, end_time=timezone.now())
    beat(shop)
    assert watch() == BACK
    assert [kind for kind, _ in told()] == ["STA"]


def test_without_expectations_nothing_is_asked_or_written(
    source: Source, django_assert_num_queries: Any
) -> None:
    passes(1000)
    with django_assert_num_queries(1):
        assert watch() == QUIET
    assert not Heartbeat.objects.exists()


def test_of_eight_sweeps_at_once_one_tells(transactional_db: None, shop: Source) -> None:
    for news in ("silent", "back"):
        if news == "silent":
            passes(LATEST_S + 1)
        else:
            beat(shop)
        found: Any = at_once(8, lambda _: watch())
        assert [counts[news] for counts in found].count(1) == 1
    assert [kind for kind, _ in told()] == ["STA", "END"]


def test_the_sweep_looks_also_while_redis_is_away(shop: Source, queue: RecordingQueue) -> None:
    def away(*_: object) -> dict[str, int]:
        raise ConnectionError

    queue.lengths = away  # type: ignore[method-assign] # the one seam
    queue.dispatch = away  # type: ignore[assignment]
    passes(LATEST_S + 1)
    assert tasks.sweep()["silent"] == 1
    assert told()[0][0] == "STA"


def test_the_sweep_lets_acknowledgements_lapse(shop: Source, queue: RecordingQueue) -> None:
    assert tasks.sweep()["lapsed"] == 0
    now = timezone.now()
    Incident.objects.create(
        source=shop, incident_key="x", level=1, start_time=now, acked=True, ack_expires=now
    )
    assert tasks.sweep()["lapsed"] == 1


@pytest.mark.parametrize(
    ("interval", "good"), [(9, False), (10, True), (31 * 86_400, True), (31 * 86_400 + 1, False)]
)
def test_the_interval_is_set_in_the_admin(
    rf: Any, source: Source, interval: int, good: bool
) -> None:
    form_class = admin.site._registry[Source].get_form(rf.get("/"), source)
    form = form_class(data={**model_to_dict(source), "heartbeat_interval": interval})
    assert ("heartbeat_interval" in form.errors) is not good
    assert not {"last_heartbeat", "heartbeat_since", "silent_since"} & set(form.fields)


# over HTTP


def post(client: Client, token: str, path: str = "heartbeat", body: str = "") -> int:
    """Post with a token, and return the status."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
    return answer.status_code


def heard_s_ago() -> float:
    """Return how long ago the source's last sign of life was."""
    last = Source.objects.get().last_heartbeat
    assert last is not None
    return (timezone.now() - last).total_seconds()


def test_a_heartbeat_is_written_down_each_time(client: Client, source: Source) -> None:
    token = SourceToken.issue(source)
    assert post(client, token) == 204
    passes(3)
    assert heard_s_ago() > 2
    assert post(client, token) == 204
    assert heard_s_ago() < 2
    assert not Event.objects.exists()


def test_a_heartbeat_needs_a_token(client: Client, source: Source) -> None:
    assert post(client, "nts_unknown") == 401
    assert Source.objects.get().last_heartbeat is None


@pytest.mark.parametrize("body", ['{"description": "x"}', "garbage"])
def test_any_request_of_a_source_is_a_sign_of_life(client: Client, shop: Source, body: str) -> None:
    token = SourceToken.issue(shop)
    passes(5)
    post(client, token, "events", body)
    assert heard_s_ago() > 4  # a tenth of its interval is not over
    passes(5)
    post(client, token, "events", body)
    assert heard_s_ago() < 4


def test_where_none_is_expected_requests_are_not_written_down(
    client: Client, source: Source
) -> None:
    post(client, SourceToken.issue(source), "events", '{"description": "x"}')
    assert Source.objects.get().last_heartbeat is None


def test_the_look_up_of_a_token_brings_what_is_expected(
    shop: Source, django_assert_num_queries: Any
) -> None:
    token = SourceToken.issue(shop)
    with django_assert_num_queries(1):
        found = source_of_token(token)
        assert found is not None
        assert (found.heartbeat_interval, found.last_heartbeat is not None) == (60, True)
    assert found.last_heartbeat == Source.objects.get().last_heartbeat


def test_a_break_is_told_by_when_sources_were_looked_at(shop: Source) -> None:
    assert timezone.now() - Heartbeat.objects.get(name=LOOKED).at < dt.timedelta(seconds=30)
