"""The official client of Argus, unmodified, against our own API."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyargus import models
from pyargus.client import Client
from pyargus.models import STATELESS
from pyargus.time import LOCAL_INFINITY
from simple_rest_client.exceptions import AuthError, ClientError, NotFoundError

from notifier.models import Event, Incident, Source, SourceToken

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "argus.md"


@pytest.fixture
def shop(transactional_db: None) -> Source:
    """The source that the client's token is of."""
    return Source.objects.create(name="shop", type="nav")


@contextmanager
def closing(client: Client) -> Iterator[Client]:
    """Close a client's connections, which it does not do itself."""
    yield client
    client.api.close_client()


@pytest.fixture
def argus(live_server: LiveServer, shop: Source) -> Iterator[Client]:
    """The client, which knows nothing of us but the address and a token."""
    with closing(
        Client(f"{live_server.url}/api/v2", SourceToken.issue(shop), timeout=10)
    ) as client:
        yield client


def an_incident(**fields: Any) -> models.Incident:
    """Return an incident to be posted."""
    return models.Incident(
        **{
            "start_time": NOW - dt.timedelta(hours=1),
            "end_time": LOCAL_INFINITY,
            "source_incident_id": "4711",
            "description": "Link to core-2 is down",
            "level": 2,
            "tags": {"host": "core-1"},
            **fields,
        }
    )


def test_it_creates_an_incident_and_reads_it(argus: Client, shop: Source) -> None:
    posted = argus.post_incident(
        an_incident(
            details_url="https://nav.example/alerts/1",
            ticket_url="https://rt.example/7",
            metadata={"rack": 7},
            tags=[("host", "core-1"), ("host", "core-2")],
        )
    )
    assert posted == argus.get_incident(posted.pk)
    assert posted == models.Incident(
        pk=Incident.objects.get().pk,
        start_time=NOW - dt.timedelta(hours=1),
        end_time=LOCAL_INFINITY,
        source=models.SourceSystem(pk=shop.pk, name="shop", type="nav", base_url=""),
        source_incident_id="4711",
        details_url="https://nav.example/alerts/1",
        description="Link to core-2 is down",
        level=2,
        ticket_url="https://rt.example/7",
        tags=posted.tags,
        stateful=True,
        open=True,
        acked=False,
        metadata={"rack": 7},
    )
    assert posted.tags.getlist("host") == ["core-1", "core-2"]
    event = Event.objects.get()
    assert (event.type, event.level, event.state) == ("STA", 2, "accepted")
    assert event.tags == ["host=core-1", "host=core-2"]


def test_it_updates_an_incident(argus: Client) -> None:
    posted = argus.post_incident(an_incident())
    update = models.Incident(
        pk=posted.pk, level=1, description="Both links are down", tags={"host": "core-3"}
    )
    updated = argus.update_incident(update)
    assert (updated.level, updated.description) == (1, "Both links are down")
    assert updated.tags == {"host": "core-3"}
    assert argus.get_incident(posted.pk) == updated
    changed = Event.objects.get(type="CHI")
    assert (changed.level, changed.description) == (1, "Both links are down")


def test_it_gives_an_incident_a_ticket(argus: Client) -> None:
    posted = argus.post_incident(an_incident())
    answer = argus.api.incidents.set_ticket_url(
        posted.pk, body={"ticket_url": "https://rt.example/8"}
    )
    assert answer.body == {"ticket_url": "https://rt.example/8"}
    assert argus.get_incident(posted.pk).ticket_url == "https://rt.example/8"


def test_it_acknowledges_an_incident(argus: Client) -> None:
    posted = argus.post_incident(an_incident())
    body = {
        "timestamp": NOW.isoformat(),
        "description": "On it",
        "expiration": (NOW + dt.timedelta(hours=1)).isoformat(),
    }
    answer = argus.api.acknowledgements.create(posted.pk, body=body)
    [ack] = argus.get_incident_acknowledgements(posted)
    assert ack == models.Acknowledgement.from_json(answer.body)
    assert (ack.event.type, ack.event.description) == ("ACK", "On it")
    assert ack.expiration == NOW + dt.timedelta(hours=1)
    assert argus.api.acknowledgements.retrieve(posted.pk, ack.pk).body == answer.body
    assert argus.get_incident(posted.pk).acked


def test_it_resolves_and_restarts_an_incident(argus: Client) -> None:
    posted = argus.post_incident(an_incident())
    ended = argus.resolve_incident(posted, description="Link is up", timestamp=NOW)
    assert (ended.type, ended.description, ended.timestamp) == ("END", "Link is up", NOW)
    assert (ended.incident, ended.actor) == (posted.pk, "shop")
    closed = argus.get_incident(posted.pk)
    assert (closed.open, closed.end_time) == (False, NOW)

    argus.restart_incident(posted)
    again = argus.get_incident(posted.pk)
    assert (again.open, again.end_time) == (True, LOCAL_INFINITY)
    assert [each.type for each in argus.get_incident_events(posted)] == ["RES", "END", "STA"]
    answer = argus.api.events.retrieve(posted.pk, ended.pk)
    assert models.Event.from_json(answer.body) == ended


def test_an_incident_that_is_resolved_twice_has_ended_once(argus: Client) -> None:
    posted = argus.post_incident(an_incident())
    first, second = argus.resolve_incident(posted), argus.resolve_incident(posted)
    assert first == second
    assert Event.objects.filter(type="END").count() == 1


def test_it_lists_incidents_by_pages_and_filters(argus: Client, shop: Source) -> None:
    numbers = range(105)
    for number in numbers:
        argus.post_incident(
            an_incident(
                source_incident_id=str(number),
                start_time=NOW - dt.timedelta(minutes=number),
                tags={"host": f"core-{number % 2}"},
            )
        )
    argus.resolve_incident(Incident.objects.get(incident_key="7").pk)
    found = [each.source_incident_id for each in argus.get_my_incidents()]
    assert found == [str(number) for number in numbers]
    assert len(list(argus.get_incidents(open=True))) == 104
    [closed] = argus.get_incidents(open=False, acked=False, stateful=True, tags="host=core-1")
    assert closed.source_incident_id == "7"
    assert len(list(argus.get_my_incidents(tags="host=core-1", page_size=10))) == 52
    [one] = argus.get_my_incidents(source_incident_id="42")
    assert one.source_incident_id == "42"


def test_a_stateless_incident_is_one(argus: Client) -> None:
    posted = argus.post_incident(an_incident(end_time=STATELESS))
    # the client leaves out what is false; on the wire it is null, as here
    body: Any = {
        "start_time": NOW.isoformat(),
        "end_time": None,
        "tags": [],
        "description": "Saved",
    }
    saved = models.Incident.from_json(argus.api.incidents.create(body=body).body)
    assert (saved.stateful, saved.end_time, saved.open) == (False, STATELESS, False)
    assert [each.pk for each in argus.get_incidents(stateful=False)] == [saved.pk, posted.pk]
    assert Event.objects.get(incident=saved.pk).type == "LES"
    assert argus.resolve_incident(saved).type == "LES"


def test_it_sends_heartbeats(argus: Client) -> None:
    assert argus.supports_heartbeat()
    assert Source.objects.get().last_heartbeat is None
    argus.send_heartbeat()
    assert Source.objects.get().last_heartbeat is not None


def test_it_says_what_is_wrong(argus: Client, live_server: LiveServer) -> None:
    posted = argus.post_incident(an_incident())
    with pytest.raises(ClientError) as refused:
        argus.post_incident(an_incident())
    assert refused.value.response.status_code == 400
    assert f"Incident {posted.pk} " in refused.value.response.body["source_incident_id"][0]
    with pytest.raises(NotFoundError):
        argus.get_incident(posted.pk + 1)
    with closing(Client(f"{live_server.url}/api/v2", "nts_unknown")) as stranger:
        for call in (stranger.send_heartbeat, stranger.supports_heartbeat):
            with pytest.raises(AuthError):
                call()


def test_the_example_of_the_page_works(live_server: LiveServer, shop: Source) -> None:
    [example] = re.findall(r"```python\n(from pyargus.*?)```", DOCS.read_text(), re.DOTALL)
    code = example.replace("https://notifier.example.org", live_server.url)
    code = code.replace("nts_…", SourceToken.issue(shop))
    assert code.count(live_server.url) == 1
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCS), "exec"), names)  # what the page tells everybody to run
    with closing(names["argus"]):
        pass
    incident = Incident.objects.get()
    assert not incident.open
    kinds = Event.objects.order_by("sequence").values_list("type", flat=True)
    assert list(kinds) == ["STA", "CHI", "END"]
