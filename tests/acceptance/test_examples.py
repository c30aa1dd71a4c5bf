"""The examples run as their readers would run them, and do what they say."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from notifier.models import Event, Source, SourceToken
from servers.process import Process, free_port
from tests.acceptance.stack import ROOT, Stack, recipients

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EXAMPLES = ROOT / "examples"
QUEUES = ("events", "maintenance", "media.email")
SHOP = """
from django.contrib.auth.models import User
from shop.models import Order
anna = User.objects.create_user("anna", email="anna@example.org")
Order.objects.create(customer=anna)
Order.objects.create(customer=anna, address="1 Main Street")
"""


def serve(stack: Stack, *argv: str) -> str:
    """Start an example's web server, given a port as its last word; return its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = stack.run("example", *argv, str(port))
    process.wait_until_ready(lambda: _answers(url))
    return url


def _answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def _post(url: str, **fields: str) -> httpx.Response:
    # in both places: one of the examples reads a form, the other the query
    return httpx.post(url, params=fields, data=fields, timeout=30, trust_env=False)


def _finish(process: Process) -> str:
    """Wait for a program's end; return what it wrote, or fail with it."""
    assert process.wait(30) == 0, process.log()
    return process.log()


@pytest.fixture
def shop(transactional_db: None, django_user_model: type[User]) -> Source:
    """The source that the examples post for, and the customer they tell."""
    django_user_model.objects.create_user("anna", email="anna@example.org")
    return Source.objects.create(name="shop")


def test_a_django_host_tells_on_commit_and_nobody_after_a_rollback(
    stack: Stack, tmp_path: Path
) -> None:
    database, project = tmp_path / "shop.sqlite3", EXAMPLES / "django"
    stack.env.update(
        DJANGO_SETTINGS_MODULE="shop.settings",
        SHOP_DATABASE=str(database),
        SMTP=f"127.0.0.1:{stack.inbox.smtp_port}",
    )
    manage = ("python", str(project / "manage.py"))
    _finish(stack.run("migrate", *manage, "migrate", "--verbosity=0"))
    _finish(stack.run("fill", *manage, "shell", "--command", SHOP))
    stack.run(
        "worker",
        *f"celery --workdir {project} -A worker.app worker -B -Q {','.join(QUEUES)} -c 1".split(),
    )
    url = serve(stack, *manage, "runserver", "--noreload")

    refused = _post(f"{url}/orders/1/ship")
    shipped = _post(f"{url}/orders/2/ship")
    again = _post(f"{url}/orders/2/ship")

    assert (refused.status_code, shipped.status_code) == (409, 200)
    assert again.json() == shipped.json()
    [mail] = stack.wait_for_mails(1)
    assert (mail["to"], mail["from"]) == (["anna@example.org"], "shop@example.org")
    assert mail["subject"] == "[Notifier] Order 2 is on its way"
    with closing(sqlite3.connect(database)) as rows:
        assert rows.execute("SELECT id, shipped FROM shop_order").fetchall() == [(1, 0), (2, 1)]
        assert rows.execute("SELECT description FROM notifier_event").fetchall() == [
            ("Order 2 is on its way",)
        ]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("flask", "--app", "examples/flask/app", "run", "--port"), id="flask"),
        pytest.param(
            ("uvicorn", "--app-dir", "examples/fastapi", "app:app", "--port"), id="fastapi"
        ),
    ],
)
def test_a_web_app_posts_through_redis_and_says_when_it_could_not(
    stack: Stack, shop: Source, command: tuple[str, ...]
) -> None:
    url = f"{serve(stack, *command)}/orders/4711/ship"

    stack.redis.stop()
    lost = _post(url, customer="anna")
    stack.redis.restart()
    invalid = _post(url, customer="anna", level="9")
    posted = [_post(url, customer="anna") for _ in range(2)]

    assert (lost.status_code, lost.headers["Retry-After"]) == (503, "10")
    assert invalid.status_code == 422
    assert invalid.json()["errors"]["level"].startswith("must be a number from 1")
    assert [each.status_code for each in posted] == [202, 202]
    stack.worker("all", *QUEUES)
    assert recipients(stack.wait_for_mails(1)) == ["anna@example.org"]
    event = Event.objects.get()
    assert {each.json()["event"] for each in posted} == {str(event.pk)}
    assert (event.source, event.source_event_id) == (shop, "order-4711-shipped")


def test_a_celery_app_posts_with_nothing_of_notifier_imported(stack: Stack, shop: Source) -> None:
    stack.worker("all", *QUEUES)
    program = str(EXAMPLES / "celery_client.py")

    printed = _finish(stack.run("example", "python", program, "Order 4711 is late", "anna"))

    [mail] = stack.wait_for_mails(1)
    assert mail["subject"] == "[Notifier] Order 4711 is late"
    assert str(Event.objects.get().pk) in printed


def test_a_script_tells_what_went_wrong_while_the_server_was_away_with_its_next_run(
    stack: Stack, shop: Source, tmp_path: Path
) -> None:
    stack.worker("all", *QUEUES)
    spool = {"SPOOL": str(tmp_path / "spool"), "NOTIFIER_TOKEN": SourceToken.issue(shop)}
    program = ("python", str(EXAMPLES / "backup.py"), "anna")

    away = stack.run(
        "away", *program, "false", env={**spool, "NOTIFIER_URL": f"http://127.0.0.1:{free_port()}"}
    )
    assert away.wait(30) == 1
    _finish(stack.run("next", *program, "true", env={**spool, "NOTIFIER_URL": stack.web()}))

    [mail] = stack.wait_for_mails(1)
    assert mail["subject"] == "[Notifier] false ended with 1"


def test_curl_posts_over_http_with_the_token_of_a_source(stack: Stack, shop: Source) -> None:
    stack.env.update(NOTIFIER_URL=stack.web(), NOTIFIER_TOKEN=SourceToken.issue(shop))

    answers = [
        json.loads(_finish(stack.run(name, "/bin/sh", str(EXAMPLES / "curl.sh"))))
        for name in ("first", "second")
    ]

    event = Event.objects.get()
    assert answers == [
        {"id": str(event.pk), "repeated": False},
        {"id": str(event.pk), "repeated": True},
    ]
    assert (event.source, event.recipients) == (shop, ["anna"])
