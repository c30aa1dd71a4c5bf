"""Procfile, Compose, systemd and Kubernetes, held against each other and against the code."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from notifier import conf
from worker.queues import queue_names

ROOT = Path(__file__).parents[2]
PLACES = ("Procfile", "compose", "kubernetes", "systemd")
SERVERS = {"postgres", "redis"}
NOT_OURS = {"POSTGRES_PASSWORD", "FLOWER_BASIC_AUTH", "PORT", "FLOWER_PORT", "COMPOSE_PROFILES"}
"""What .env holds for Compose, honcho and Flower."""
NOT_IN_COMPOSE = {
    "NOTIFIER_DEBUG",  # for development alone
    "NOTIFIER_STATIC_ROOT",  # web serves the files itself, and its image is read-only
    "REDIS_MASTER",  # Compose's own Redis has no sentinels
    # without EMAIL_URL it does not start
    *("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"),
    *("EMAIL_USE_TLS", "EMAIL_USE_SSL"),
}
"""What the settings read, and Compose need not hand on."""
GUARD = ': "${FLOWER_BASIC_AUTH:?'


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def compose() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(read("docker-compose.yml"))["services"]
    return services


@cache
def manifests(kind: str) -> dict[str, dict[str, Any]]:
    """Return Kubernetes' objects of a kind by name, without the patches."""
    names = yaml.safe_load(read("deploy/kubernetes/kustomization.yaml"))["resources"]
    found = [
        each for name in names for each in yaml.safe_load_all(read(f"deploy/kubernetes/{name}"))
    ]
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def pod(deployment: str) -> dict[str, Any]:
    found: dict[str, Any] = manifests("Deployment")[deployment]["spec"]["template"]["spec"]
    return found


def unit(name: str) -> str:
    """Return a systemd service as it is started: its instance and its variables filled in."""
    template, at, instance = name.partition("@")
    text = read(f"deploy/systemd/{template}{at}.service").replace("%i", instance)
    for variable, value in re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE):
        text = text.replace(f"${{{variable}}}", value)
    assert not re.search(r"(?<!%)%[^%]", text), "a single % is systemd's own"
    return text.replace("%%", "%").replace("$$", "$").replace("/opt/notifier/.venv/bin/", "")


def commands(place: str) -> dict[str, str]:
    """Return what each long-running process of ours is started by."""
    if place == "Procfile":
        lines = [line.split(": ", 1) for line in read("Procfile").splitlines()]
        return {name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", line) for name, line in lines}
    if place == "compose":
        ours = compose().keys() - SERVERS - {"migrate"}
        return {name: compose()[name]["command"] for name in ours}
    if place == "systemd":
        wanted = re.findall(r"notifier-([\w@.]+)\.service", read("deploy/systemd/notifier.target"))
        starts = {name: unit(f"notifier-{name}").split("ExecStart=")[1] for name in wanted}
        return {name: start.splitlines()[0] for name, start in starts.items()}
    every = manifests("Deployment")
    return {name: shlex.join(pod(name)["containers"][0]["command"]) for name in every}


def words(command: str) -> list[str]:
    """Return a program and its arguments, without the shell around it."""
    argv = shlex.split(command)
    if argv[0].endswith("sh"):
        argv = shlex.split(argv[2])
    return argv[argv.index("exec") + 1 :] if "exec" in argv else argv


def workers(place: str) -> dict[str, list[str]]:
    found = {name: words(command) for name, command in commands(place).items()}
    return {name: argv for name, argv in found.items() if argv[3:4] == ["worker"]}


def after(option: str, argv: list[str]) -> str:
    return argv[argv.index(option) + 1]


def settings_calls(function: str = "") -> set[str]:
    """Return the variables that config/settings.py reads, or only those by one function."""
    calls = [
        each
        for each in ast.walk(ast.parse(read("config/settings.py")))
        if isinstance(each, ast.Call)
    ]
    return {
        call.args[0].value
        for call in calls
        if (by := ast.unparse(call.func)) in {"secret", "number", "items"} or by.startswith("env.")
        if function in {"", by}
        if call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def assignments(text: str) -> dict[str, str]:
    """Return an env file's lines, the defaults in comments too."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def made(*options: str) -> dict[str, str]:
    argv = [sys.executable, "deploy/make_env.py", *options]
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", result.stdout, re.MULTILINE))


def seconds(place: str, worker: str) -> int:
    """Return how long a worker may take to end."""
    if place == "compose":
        return int(compose()[worker]["stop_grace_period"].removesuffix("s"))
    if place == "kubernetes":
        return int(pod(worker)["terminationGracePeriodSeconds"])
    return int(unit(f"notifier-{worker}").split("TimeoutStopSec=")[1].split()[0])


@pytest.mark.parametrize("place", PLACES)
def test_every_queue_has_exactly_one_kind_of_consumer(place: str) -> None:
    consumed = [queue for argv in workers(place).values() for queue in after("-Q", argv).split(",")]
    assert Counter(consumed) == Counter(queue_names())


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_the_same_processes_start_as_from_the_procfile(place: str) -> None:
    def told(where: str) -> dict[str, list[str]]:
        address = re.compile(r"(--bind |--address=)\S+")
        return {name: words(address.sub("", line)) for name, line in commands(where).items()}

    assert told(place) == told("Procfile")


def test_systemd_gives_its_workers_the_same_options() -> None:
    def options(place: str) -> set[tuple[str, ...]]:
        return {tuple(w for w in argv if w.startswith("--")) for argv in workers(place).values()}

    assert options("systemd") == options("Procfile")
    assert len(options("systemd")) == 1
    for name in ("web", "beat", "flower"):
        assert words(commands("systemd")[name]) == words(commands("Procfile")[name])


@pytest.mark.parametrize("place", PLACES)
def test_workers_of_one_host_have_names_of_their_own(place: str) -> None:
    names = [after("-n", argv) for argv in workers(place).values()]
    assert len(set(names)) == len(names)
    assert all(name.endswith("@%h") for name in names)


@pytest.mark.parametrize("place", ["compose", "systemd", "kubernetes"])
def test_a_worker_may_end_its_batch_before_it_is_killed(place: str) -> None:
    needed_s = conf.BATCH_BUDGET_S.default + 15
    assert all(seconds(place, name) >= needed_s for name in workers(place))


def test_a_worker_is_pinged_by_its_own_name() -> None:
    for name, argv in workers("compose").items():
        node = after("-n", argv).replace("%h", "$$HOSTNAME")
        assert after("-d", compose()[name]["healthcheck"]["test"].split()) == node
    for name, argv in workers("kubernetes").items():
        probe = pod(name)["containers"][0]["livenessProbe"]["exec"]["command"][-1]
        assert after("-d", probe.split()) == after("-n", argv).replace("%h", "$HOSTNAME")


@pytest.mark.parametrize("place", ["Procfile", "systemd", "kubernetes"])
def test_flower_is_on_loopback_and_ends_without_a_password(place: str) -> None:
    command = commands(place)["flower"]
    assert GUARD in command
    assert "--address=127.0.0.1" in words(command)


def test_flower_in_compose_needs_a_password() -> None:
    given = compose()["flower"]["environment"]["FLOWER_BASIC_AUTH"]
    assert given.startswith("${FLOWER_BASIC_AUTH:?")


@pytest.mark.parametrize("place", PLACES)
def test_flower_has_no_password_among_its_arguments(place: str) -> None:
    assert not [word for word in words(commands(place)["flower"]) if "auth" in word]


def test_no_kubernetes_service_leads_to_flower() -> None:
    assert [each["spec"]["selector"]["process"] for each in manifests("Service").values()] == [
        "web"
    ]


def test_compose_publishes_web_and_flower_on_loopback_and_nothing_else() -> None:
    published = {name: each["ports"] for name, each in compose().items() if "ports" in each}
    assert published.keys() == {"web", "flower"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_compose_can_scale_every_worker() -> None:
    assert not [each for each in compose().values() if "container_name" in each]


def test_compose_starts_nothing_of_ours_before_the_migrations() -> None:
    for name in commands("compose"):
        needed = compose()[name]["depends_on"]
        assert needed["migrate"] == {"condition": "service_completed_successfully"}
    assert compose()["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_redis_in_compose_forgets_nothing() -> None:
    redis = compose()["redis"]
    assert "--appendonly yes" in redis["command"]
    assert "--maxmemory-policy noeviction" in redis["command"]
    assert redis["volumes"] == ["redis:/data"]


def test_everything_in_compose_has_a_healthcheck() -> None:
    assert [name for name, each in compose().items() if "healthcheck" not in each] == ["migrate"]


def test_a_medium_besides_email_has_a_compose_profile_of_its_own() -> None:
    example = assignments(read(".env.example"))
    profiles = [each for name in workers("compose") for each in compose()[name].get("profiles", [])]
    assert sorted(example["COMPOSE_PROFILES"].split(",")) == sorted(profiles)
    unasked = [
        argv for name, argv in workers("compose").items() if "profiles" not in compose()[name]
    ]
    assert {after("-Q", argv) for argv in unasked} == {"events,maintenance", "media.email"}
    plugins = compose()["web"]["environment"]["MEDIA_PLUGINS"]
    assert plugins == f"${{MEDIA_PLUGINS:-{conf.MEDIA_PLUGINS.default[0]}}}"


def test_the_media_of_env_example_and_kubernetes_are_those_with_workers() -> None:
    expected = ",".join(settings.MEDIA_PLUGINS)
    assert assignments(read(".env.example"))["MEDIA_PLUGINS"] == expected
    assert manifests("ConfigMap")["notifier"]["data"]["MEDIA_PLUGINS"] == expected


def test_env_example_has_every_variable_the_settings_read_and_no_other() -> None:
    assert assignments(read(".env.example")).keys() == settings_calls() | NOT_OURS


@pytest.mark.parametrize("name", sorted({*compose(), "kubernetes"} - SERVERS))
def test_every_variable_given_is_one_the_settings_read(name: str) -> None:
    if name == "kubernetes":
        given = set(manifests("ConfigMap")["notifier"]["data"])
    else:
        given = set(compose()[name]["environment"])
        assert given >= settings_calls("secret") | {"DATABASE_URL", "REDIS_URL"}
    assert given <= settings_calls() | {"FLOWER_BASIC_AUTH"}


def test_compose_hands_on_every_variable_that_means_something_there() -> None:
    for name in commands("compose"):
        given = set(compose()[name]["environment"])
        assert settings_calls() - given == NOT_IN_COMPOSE, name


def test_compose_refuses_to_start_without_a_secret() -> None:
    refused = set(re.findall(r"\$\{(\w+):\?", read("docker-compose.yml")))
    assert refused >= settings_calls("secret") | {"POSTGRES_PASSWORD", "FLOWER_BASIC_AUTH"}
    left_to_the_site = {name for name, value in made("--production").items() if not value}
    assert left_to_the_site - {"SMS_GATEWAY_ADDRESS"} <= refused


def test_a_made_environment_has_secrets_of_its_own() -> None:
    one, other = made(), made("--production")
    for name in settings_calls("secret") | {"POSTGRES_PASSWORD", "FLOWER_BASIC_AUTH"}:
        assert len(one[name]) >= 32
        assert one[name] != other[name]
        assert re.fullmatch(r"[\w:=-]+", one[name])
    assert all(one.values())


def test_the_page_for_operators_explains_every_variable() -> None:
    page = read("docs/deployment.md")
    assert [name for name in settings_calls() | NOT_OURS if f"`{name}`" not in page] == []


def test_the_image_holds_every_app_and_nothing_unnamed() -> None:
    lines = read(".dockerignore").splitlines()
    assert lines[1] == "*"
    ours = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
    assert {f"!{name}" for name in ours | {"config", "worker", "requirements/server.txt"}} <= {
        *lines
    }
    assert not [line for line in lines if line.startswith(("!.", "!tests"))]


def test_the_image_holds_no_secret_and_runs_without_root() -> None:
    lines = read("Dockerfile").splitlines()
    assert not [line for line in lines if re.match(r"\s*(ENV|ARG)?\s*\w*(KEY|PASSWORD)\w*=", line)]
    assert int(next(line.split()[1] for line in lines if line.startswith("USER "))) > 0
