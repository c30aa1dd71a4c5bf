"""Mail without Notifier: built by Django anew for each recipient, sent over one connection."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from bench import usage
from bench.filling import rows
from bench.raw.timing import timed
from bench.site import Site
from notifier.media.email import EmailNotification


def measure(site: Site, count: int) -> dict[str, float]:
    """Send text alone, text with HTML, and bytes that were ready before."""
    medium, server = EmailNotification(), site.servers["sink"]
    shown = medium.preview(medium.render(rows(1)[0]))  # as long as Notifier's own
    before = usage.cpu_s(server)

    def plain(number: int) -> EmailMessage:
        return EmailMessage(shown["subject"], shown["text"], to=[_address(number)])

    def both(number: int) -> EmailMessage:
        message = EmailMultiAlternatives(shown["subject"], shown["text"], to=[_address(number)])
        message.attach_alternative(shown["html"], "text/html")
        return message

    def send(build: Callable[[int], EmailMessage]) -> None:
        with EmailBackend(host="127.0.0.1", port=site.smtp_port) as backend:
            for number in range(count):
                backend.send_messages([build(number)])

    def send_ready() -> None:
        ready = both(0).message().as_bytes().replace(b"\n", b"\r\n")
        with smtplib.SMTP("127.0.0.1", site.smtp_port) as smtp:
            for number in range(count):
                smtp.sendmail("a@example.org", [_address(number)], ready)

    found = timed("raw.mail", count, lambda: send(plain))
    found |= timed("raw.mail.html", count, lambda: send(both))
    found |= timed("raw.mail.ready", count, send_ready)
    return found | {"raw.mail.sink": 3 * count / max(usage.cpu_s(server) - before, 0.01)}


def _address(number: int) -> str:
    return f"user{number}@example.org"
