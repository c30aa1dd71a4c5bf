"""What a worker's child begins with, and keeps from task to task."""

from __future__ import annotations

import gc
import warnings

import pytest
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined] # not in its stubs
from celery.signals import task_postrun, task_prerun
from django.db import connection

from worker import memory
from worker.app import app


def test_the_collector_leaves_alone_what_was_there_before_the_fork() -> None:
    gc.unfreeze()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what other tests have left open
        gc.collect()
    try:
        memory._settle()
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
    finally:
        gc.unfreeze()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("max_age", [600, 0])
def test_a_connection_lives_from_task_to_task_as_long_as_the_site_says(
    max_age: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", max_age)
    connection.close()
    celerys_own = DjangoWorkerFixup(app)
    connection.ensure_connection()
    before = connection.connection
    for signal, fixup in ((task_postrun, "on_task_postrun"), (task_prerun, "on_task_prerun")):
        getattr(celerys_own, fixup)(sender=app.tasks["notifier.sweep"])
        signal.send(sender=None)
    assert (connection.connection is before) is bool(max_age)
