"""A FastAPI application that posts events through Redis: no Django, no Celery.

REDIS_URL=redis://127.0.0.1:6379/0 uvicorn app:app
curl -X POST 'http://127.0.0.1:8000/orders/4711/ship?customer=anna'
"""

from __future__ import annotations

import os

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from notifier.client import Notifier
from notifier.errors import InvalidEvent, QueueUnavailable

app = FastAPI()
# One for the whole process: threads and forks may share it, and it connects at the first event.
# SPOOL is a directory that outlives the process; what can't be posted waits there.
notifier = Notifier(
    os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    source="shop",
    spool=os.environ.get("SPOOL") or False,
)


# Not `async def`: send() speaks to Redis and waits for it, up to 5 seconds where Redis hangs.
# FastAPI runs a plain `def` in a thread, so that no other request waits with it; inside an
# `async def` write `await run_in_threadpool(notifier.send, …)`.
@app.post("/orders/{number}/ship", status_code=202)
def ship(number: int, customer: str, level: int = 5) -> dict[str, str]:
    """Ship an order and tell its customer."""
    event_id = notifier.send(
        f"Order {number} is on its way",
        recipients=[customer],
        level=level,
        source_event_id=f"order-{number}-shipped",  # posted twice, it is one event
    )
    return {"event": str(event_id)}


@app.exception_handler(InvalidEvent)
def invalid(_request: Request, error: InvalidEvent) -> JSONResponse:
    """Say what to change, field by field."""
    return JSONResponse({"errors": {each.field: each.message for each in error.problems}}, 422)


@app.exception_handler(QueueUnavailable)
def unavailable(_request: Request, _error: QueueUnavailable) -> JSONResponse:
    """Ask for another try: without a spool, or with a full one, nothing keeps the event."""
    return JSONResponse({"error": "the event may not have been posted"}, 503, {"Retry-After": "10"})
