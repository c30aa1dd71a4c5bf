"""A real Alertmanager: its alerts open and close incidents here, and end as mails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from notifier.models import Event, Incident, Source, SourceToken
from servers.alertmanager import AlertmanagerServer
from tests.acceptance.stack import Stack, eventually
from tests.conftest import add_profile

ALERT = ("alertname=DiskFull", "instance=db1", "severity=critical")
SUMMARY = "The disk of db1 is full"


@pytest.fixture
def token(transactional_db: None, django_user_model: type[User]) -> str:
    """The token of a source, of which Anna wants to be told."""
    anna = django_user_model.objects.create_user("anna", email="anna@example.org")
    add_profile(anna, {"sources": ["alertmanager"]}, anna.destinations.get())
    source = Source.objects.create(name="alertmanager", type="alertmanager")
    return SourceToken.issue(source)


@pytest.fixture
def alertmanagers(stack: Stack, token: str, tmp_path: Path) -> Iterator[list[AlertmanagerServer]]:
    """Two that know nothing of each other, as an HA pair whose gossip fails: each posts all."""
    url = f"{stack.standard()}/api/v1/intake"
    bearer = {"authorization": {"credentials": token}}
    basic = {"basic_auth": {"username": "any", "password": token}}
    with (
        AlertmanagerServer(tmp_path, url, bearer, name="one") as one,
        AlertmanagerServer(tmp_path, f"{url}/alertmanager", basic, name="two") as two,
    ):
        yield [one, two]


def told(*types: str) -> bool:
    return [*Event.objects.order_by("sequence").values_list("type", flat=True)] == [*types]


def test_alerts_fire_and_resolve_incidents_and_are_told_once(
    stack: Stack, alertmanagers: list[AlertmanagerServer]
) -> None:
    one, two = alertmanagers
    for each in alertmanagers:
        each.fire(*ALERT, summary=SUMMARY)
    mails = stack.wait_for_mails(1)
    assert SUMMARY in mails[0]["subject"]
    assert mails[0]["to"] == ["anna@example.org"]
    incident = Incident.objects.get()
    assert (incident.open, incident.level, incident.description) == (True, 1, SUMMARY)

    for each in alertmanagers:
        each.resolve(*ALERT, summary=SUMMARY)
    stack.wait_for_mails(2)
    eventually(lambda: not Incident.objects.get().open, "the incident's end")

    one.fire(*ALERT, summary=SUMMARY)
    stack.wait_for_mails(3)
    assert Incident.objects.get().open
    assert Event.objects.get(type="STA").timestamp < Event.objects.get(type="RES").timestamp

    # what another one says, also of other things, closes nothing and is not told twice
    two.fire(*ALERT, summary=SUMMARY)
    two.fire("alertname=Late", "instance=db2")
    stack.wait_for_mails(4)
    assert [mail["to"] for mail in stack.inbox.messages()] == [["anna@example.org"]] * 4
    assert told("STA", "STA", "END", "RES") or told("STA", "END", "RES", "STA")
    assert Incident.objects.count() == 2


def test_it_posts_again_what_could_not_be_taken(stack: Stack, token: str, tmp_path: Path) -> None:
    url = f"{stack.standard()}/api/v1/intake"
    Source.objects.update(limits={"requests_per_minute": 4})
    with AlertmanagerServer(tmp_path, url, {"authorization": {"credentials": token}}) as server:
        for number in range(5):  # a group each, and a post: more than the minute allows
            server.fire(f"alertname=Alert{number}")
        mails = stack.wait_for_mails(5, timeout_s=60)
    assert "503" in server.process.log()
    assert len({mail["subject"] for mail in mails}) == 5
