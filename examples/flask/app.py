"""A Flask application that posts events through Redis: no Django, no Celery.

REDIS_URL=redis://127.0.0.1:6379/0 flask --app app run
curl -X POST -d customer=anna http://127.0.0.1:5000/orders/4711/ship
"""

from __future__ import annotations

import os

from flask import Flask, request
from flask.typing import ResponseReturnValue

from notifier.client import Notifier
from notifier.errors import InvalidEvent, QueueUnavailable

app = Flask(__name__)
# One for the whole process: threads and forks may share it, and it connects at the first event.
# SPOOL is a directory that outlives the process; what can't be posted waits there.
notifier = Notifier(
    os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    source="shop",
    spool=os.environ.get("SPOOL") or False,
)


@app.post("/orders/<int:number>/ship")
def ship(number: int) -> ResponseReturnValue:
    """Ship an order and tell its customer."""
    event_id = notifier.send(
        f"Order {number} is on its way",
        recipients=[request.form["customer"]],
        level=request.form.get("level", 5, type=int),
        source_event_id=f"order-{number}-shipped",  # posted twice, it is one event
    )
    return {"event": str(event_id)}, 202


@app.errorhandler(InvalidEvent)
def invalid(error: InvalidEvent) -> ResponseReturnValue:
    """Say what to change, field by field."""
    return {"errors": {each.field: each.message for each in error.problems}}, 422


@app.errorhandler(QueueUnavailable)
def unavailable(_error: QueueUnavailable) -> ResponseReturnValue:
    """Ask for another try: without a spool, or with a full one, nothing keeps the event."""
    return {"error": "the event may not have been posted"}, 503, {"Retry-After": "10"}
