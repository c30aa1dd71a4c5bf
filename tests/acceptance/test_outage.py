"""Redis or the web server away while a web application goes on telling: nobody waits, nothing is lost.

`NOTIFIER_OUTAGE_S` is how long, 8 seconds unless set.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import httpx
import pytest

from notifier.models import Delivery, Event
from servers.process import Process, free_port
from tests.acceptance.stack import Stack, eventually, get

OUTAGE_S = float(os.environ.get("NOTIFIER_OUTAGE_S", "8"))
EVENTS = 500
AT_MOST_S = 5.0
"""What `Notifier.send` promises."""


@dataclass
class Shop:
    """The application as processes of a web server, and what its customers saw."""

    stack: Stack
    env: dict[str, str]
    port: int = field(default_factory=free_port)
    ids: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    def start(self) -> Process:
        """Start two processes that share what one has loaded, and one spool."""
        process = self.stack.run(
            "shop",
            *("gunicorn", "--no-control-socket", "--preload", "--workers", "2", "--threads", "4"),
            *("--timeout", "60", "-b", f"127.0.0.1:{self.port}", "tests.acceptance.outage_app:app"),
            env=self.env,
        )
        process.wait_until_ready(lambda: get(f"{self.url}/spool") is not None)
        return process

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def order(self, number: int) -> None:
        """Order something."""
        answer = httpx.post(f"{self.url}/orders/{number}", timeout=60, trust_env=False)
        assert answer.status_code == 200, self.stack.logs()
        said: dict[str, Any] = answer.json()
        self.ids.append(said["id"])
        self.took_s.append(said["took_s"])

    def order_for(self, seconds: float, count: int) -> None:
        """Order so many things, by four customers at once, spread over that time."""
        start = time.monotonic()

        def at_its_time(number: int) -> None:
            time.sleep(max(start + number * seconds / count - time.monotonic(), 0.0))
            self.order(number)

        with ThreadPoolExecutor(4) as customers:
            list(customers.map(at_its_time, range(count)))

    def everybody_is_told_once(self) -> None:
        """Wait for the last mail, and hold all of them against what was answered."""
        self.stack.wait_for_mails(EVENTS, timeout_s=120)
        sent = Delivery.objects.filter(state="sent")
        eventually(lambda: sent.count() == EVENTS, "the end of every delivery", 60)
        mails = self.stack.inbox.messages()
        assert EVENTS == len(mails) == len({mail["headers"]["Message-ID"] for mail in mails})
        assert {str(each.pk) for each in Event.objects.all()} == set(self.ids)
        assert get(f"{self.url}/spool") == {"waiting": 0, "refused": 0}
        assert max(self.took_s) < AT_MOST_S
        print(f"longest {max(self.took_s):.2f} s, mean {fmean(self.took_s):.3f} s")  # noqa: T201


@pytest.fixture(params=["Redis", "HTTP"])
def way(request: pytest.FixtureRequest) -> str:
    """What the shop posts by."""
    return str(request.param)


@pytest.fixture
def web_port() -> int:
    """Where the web server is, and is again."""
    return free_port()


@pytest.fixture
def shop(way: str, stack: Stack, token: str, people: list[str], web_port: int) -> Iterator[Shop]:
    """The shop; workers and beat run."""
    stack.worker("events", "events", "maintenance")
    stack.worker("media", "media.email")
    stack.beat()
    stack.setup()
    env = {"SPOOL": str(stack.directory / "spool"), "POST_TO": stack.redis.url}
    if way == "HTTP":
        env |= {"POST_TO": f"http://127.0.0.1:{web_port}/", "POST_TOKEN": token}
    yield Shop(stack, env)
    stack.stop()


def begin(way: str, shop: Shop, web_port: int) -> Process | None:
    """Start what the shop posts to, where that does not run yet."""
    if way == "Redis":
        return None
    web = shop.stack.run(
        "web", "gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{web_port}", "config.wsgi"
    )
    web.wait_until_ready(lambda: get(f"http://127.0.0.1:{web_port}/livez"))
    return web


def end(way: str, shop: Shop, web_port: int) -> None:
    """End an outage of what was stopped."""
    if way == "Redis":
        shop.stack.redis.restart()
    else:
        begin(way, shop, web_port)


@pytest.mark.parametrize("fault", ["down", "hung"])
def test_an_outage_delays_and_loses_nothing(
    way: str, shop: Shop, web_port: int, fault: str
) -> None:
    web = begin(way, shop, web_port)
    hit = web or shop.stack.redis.process
    shop.start()
    shop.order(0)
    # this Redis keeps nothing: stopped, it takes along what is not stored yet (docs/guarantees.md)
    eventually(Event.objects.exists, "the first event", 30)
    if fault == "hung":
        os.killpg(hit.pid, signal.SIGSTOP)  # with its children, who serve
    else:
        hit.stop()

    shop.order_for(OUTAGE_S, EVENTS - 1)

    waited = get(f"{shop.url}/spool")
    if fault == "hung":
        os.killpg(hit.pid, signal.SIGCONT)
    else:
        end(way, shop, web_port)
    assert waited == {"waiting": EVENTS - 1, "refused": 0}
    shop.everybody_is_told_once()


def test_a_killed_shop_leaves_its_spool_to_the_next(way: str, shop: Shop, web_port: int) -> None:
    web = begin(way, shop, web_port)
    if web:
        web.stop()
    else:
        shop.stack.redis.stop()
    killed = shop.start()
    shop.order_for(1, EVENTS)
    killed.kill()
    end(way, shop, web_port)

    shop.start()

    shop.everybody_is_told_once()
