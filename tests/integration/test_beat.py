"""The scheduler of beat."""

from __future__ import annotations

import pytest
from celery import Celery

from worker.beat import Scheduler


def test_a_beat_that_was_asked_to_stop_ends_even_if_the_handlers_exception_was_lost() -> None:
    scheduler = Scheduler(Celery("tests", broker="memory://", set_as_current=False))
    assert scheduler.tick() > 0
    scheduler.close()
    with pytest.raises(SystemExit):
        scheduler.tick()
