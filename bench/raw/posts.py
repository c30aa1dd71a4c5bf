"""Signed posts without Notifier: urllib3's pool, keep-alive, one host."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

import urllib3

from bench import usage
from bench.filling import rows
from bench.raw.timing import timed
from bench.site import Site
from notifier.media.webhook import cloud_event


def measure(site: Site, count: int) -> dict[str, float]:
    """Post the same body again and again, each time signed as Standard Webhooks has it."""
    key, server = secrets.token_bytes(32), site.servers["sink"]
    url = f"http://127.0.0.1:{site.http_port}/hook"
    body = json.dumps(cloud_event(rows(1)[0])).encode()
    before = usage.cpu_s(server)

    def post() -> None:
        with urllib3.PoolManager() as pool:
            for number in range(count):
                answer = pool.request(
                    "POST", url, body=body, headers=_signed(key, f"raw_{number}", body)
                )
                assert answer.status == 200

    found = timed("raw.post", count, post)
    return found | {"raw.post.sink": count / max(usage.cpu_s(server) - before, 0.01)}


def _signed(key: bytes, name: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signed = f"{name}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{digest}",
    }
