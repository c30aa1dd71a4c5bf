"""Every example of docs/intake.md does what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from notifier.api.examples import OF_FORMAT
from notifier.intake import field_mapping, source_limits
from notifier.models import Event, Incident, SigningSecret, Source, SourceToken
from servers.alertmanager import find_alertmanager

GUIDE = (Path(__file__).parents[2] / "docs" / "intake.md").read_text()
FOUND = re.findall(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def blocks() -> dict[tuple[str, str], str]:
    """Return the guide's blocks by section and language."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    for heading, language, text in FOUND:
        section = heading or section
        if language:
            assert (section, language) not in found
            found[section, language] = text
    return found


BLOCKS = blocks()
PAGERDUTY, CLOUDEVENTS = "PagerDuty", "CloudEvents"
SIGNED, OWN = "Signed posts (Standard Webhooks)", "JSON of your own"
TOLD = {
    (PAGERDUTY, "sh"): ["STA", "ACK", "END"],
    (CLOUDEVENTS, "sh"): ["STA", "END", "LES"],
    (SIGNED, "sh"): ["LES"],
    (SIGNED, "python"): ["LES"],
    (OWN, "sh"): ["STA"],
}


@pytest.fixture
def environment(transactional_db: None, live_server: LiveServer) -> dict[str, str]:
    """What the examples take from the environment, against a server that runs."""
    source = Source.objects.create(name="shop")
    return {
        "NOTIFIER_URL": live_server.url,
        "NOTIFIER_TOKEN": SourceToken.issue(source),
        "NOTIFIER_SECRET": SigningSecret.issue(source),
        "NOTIFIER_SOURCE": str(source.pk),
    }


def test_every_example_is_run() -> None:
    tried_otherwise = {
        ("Prometheus Alertmanager", "yaml"),
        ("Grafana", "yaml"),
        ("Limits", "json"),
        (OWN, "json"),
    }
    assert BLOCKS.keys() == TOLD.keys() | tried_otherwise


@pytest.mark.parametrize(("section", "language"), TOLD)
def test_an_example_posts_what_it_says(
    environment: dict[str, str], section: str, language: str
) -> None:
    if section == OWN:
        Source.objects.update(mapping=json.loads(BLOCKS[OWN, "json"]))
    program = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}[language]
    ended = subprocess.run(
        [*program, BLOCKS[section, language]],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    types = Event.objects.order_by("received", "sequence").values_list("type", flat=True)
    assert [*types] == TOLD[section, language]


def test_the_mapping_reads_its_body(environment: dict[str, str]) -> None:
    test_an_example_posts_what_it_says(environment, OWN, "sh")
    event = Event.objects.get()
    assert (event.level, event.description) == (1, "db3: 97 % used")
    assert event.tags == ["host=db3", "site=oslo"]
    assert Incident.objects.get().incident_key == "db3/disk"


def test_mapping_and_limits_are_valid() -> None:
    field_mapping.check_mapping(json.loads(BLOCKS[OWN, "json"]))
    source_limits.check_limits(json.loads(BLOCKS["Limits", "json"]))


def test_alertmanager_takes_its_configuration(tmp_path: Path) -> None:
    _, amtool = find_alertmanager()
    file = tmp_path / "alertmanager.yml"
    file.write_text(BLOCKS["Prometheus Alertmanager", "yaml"])
    checked = subprocess.run(
        [str(amtool), "check-config", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def hook(section: str) -> tuple[str, str, str]:
    """Return the URL, the authorization's scheme and its credentials of a configuration."""
    written: Any = yaml.safe_load(BLOCKS[section, "yaml"])
    if section == "Grafana":
        [point] = written["contactPoints"]
        settings = point["receivers"][0]["settings"]
        return (
            settings["url"],
            settings["authorization_scheme"],
            settings["authorization_credentials"],
        )
    config = written["receivers"][0]["webhook_configs"][0]
    return config["url"], "Bearer", config["http_config"]["authorization"]["credentials"]


@pytest.mark.parametrize("section", ["Prometheus Alertmanager", "Grafana"])
def test_a_configuration_leads_to_where_its_format_is_taken(
    client: Client, source: Source, section: str
) -> None:
    url, scheme, credentials = hook(section)
    assert credentials == "nts_your-token"
    path = url.removeprefix("https://notifier.example.org")
    answer = client.post(
        path,
        OF_FORMAT[path.rpartition("/")[2]],
        content_type="application/json",
        headers={"Authorization": f"{scheme} {SourceToken.issue(source)}"},
    )
    assert answer.status_code == 202
