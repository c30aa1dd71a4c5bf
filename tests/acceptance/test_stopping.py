"""A worker that is asked to stop: soon gone, nothing lost, nothing told twice."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from notifier.models import Delivery
from tests.acceptance.slow_mail import slow_mail
from tests.acceptance.stack import Stack, eventually, post

PRODUCTION_LIKE = {
    "NOTIFIER_BATCH_BUDGET_S": "60",
    "NOTIFIER_SEND_TIMEOUT_S": "5",
    "NOTIFIER_HARD_TIME_LIMIT_S": "100",
    "NOTIFIER_LEASE_S": "120",
}
"""A batch may go on for a minute, and what a dead worker holds would come back too late."""
EVENTS = 4


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


@pytest.mark.parametrize("signals", [1, 3])
def test_a_worker_that_is_asked_to_stop_gives_back_what_it_has_not_sent(
    stack: Stack, token: str, people: list[str], signals: int
) -> None:
    total = EVENTS * len(people)
    with slow_mail(0.3) as mail:
        stack.env |= {**PRODUCTION_LIKE, "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}"}
        url = stack.standard()
        media = stack.workers[1]
        post(
            url,
            token,
            [{"description": f"event {n}", "recipients": people} for n in range(EVENTS)],
        )
        eventually(lambda: len(mail.taken) > 2, "the third mail")

        start = time.monotonic()
        for _ in range(signals):
            media.kill("SIGTERM")
            time.sleep(0.2)
        eventually(lambda: media.container.status == "exited", "the end of the worker", 20)
        took_s = time.monotonic() - start

        sent = len(mail.taken)
        assert states() == {"sent": sent, "pending": total - sent}
        assert took_s < 10  # the whole batch takes 24 s
        mail.delay_s = 0.0
        media.restart()
        eventually(lambda: states() == {"sent": total}, "the end of all", 60)
        assert len(set(mail.taken)) == len(mail.taken) == total
