"""A Flask application that tells of each order, and how long telling took."""

from __future__ import annotations

import os
import time

from flask import Flask
from flask.typing import ResponseReturnValue

from notifier.client import Notifier

app = Flask(__name__)
notifier = Notifier(
    os.environ["POST_TO"],
    source="shop",
    token=os.environ.get("POST_TOKEN"),
    spool=os.environ["SPOOL"],
)


@app.post("/orders/<int:number>")
def order(number: int) -> ResponseReturnValue:
    """Tell the customer, whoever that is."""
    start = time.monotonic()
    event_id = notifier.send(f"order {number}", recipients=["user0"])
    return {"id": str(event_id), "took_s": time.monotonic() - start}


@app.get("/spool")
def spool() -> ResponseReturnValue:
    """Show what the spool holds."""
    state = notifier.spooled()
    return {"waiting": state.waiting, "refused": state.refused}
