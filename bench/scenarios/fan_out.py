"""Events that 100 people are told of each, one worker of the medium, beside the plain loop."""

from __future__ import annotations

from bench.filling import GROUP, populate, store, to_groups
from bench.pipeline import Run, costs, running
from bench.raw import mail as raw_mail
from bench.raw import posts as raw_posts
from bench.site import Site
from bench.sizes import Size


def mail(site: Site, size: Size) -> dict[str, float]:
    """Measure mail beside the two loops of Django's."""
    populate(site, GROUP)
    found = raw_mail.measure(site, size.raw_mails)
    run = _run(site, "email", size)
    return {**found, "fan_out.mail": run.rate, **costs("many", run)}


def webhook(site: Site, size: Size) -> dict[str, float]:
    """Measure signed webhooks beside urllib3's loop that signs likewise."""
    populate(site, GROUP, "webhook")
    found = raw_posts.measure(site, size.raw_posts)
    return {**found, "fan_out.webhook": _run(site, "webhook", size).rate}


def _run(site: Site, medium: str, size: Size) -> Run:
    with running(site, medium) as pipeline:
        return pipeline.run(size.fan_out * GROUP, lambda: store(to_groups(size.fan_out)))
