"""From a request in some format to events that are stored."""

from __future__ import annotations

from notifier.errors import InvalidEvent, Overloaded
from notifier.intake import overload, reports
from notifier.intake.formats import fitting
from notifier.intake.formats.posted import Format, Posted
from notifier.intake.formats.registry import detect
from notifier.intake.reports import Report, Settled
from notifier.intake.source_limits import check_tags


def receive(
    posted: Posted, named: Format | None = None, *, webhook_id: str = ""
) -> tuple[list[Report], list[Settled]]:
    """Read, settle and store what was posted; return the reports and what became of each.

    The format is the one that is `named`, else detected. A signed request's events have their ids
    of its `webhook_id`, which is signed too. Raises `InvalidEvent`, `ConflictingEvent`, `Overloaded`.
    """
    form = named or detect(posted)
    found = form.read(posted)
    if webhook_id:
        found = [_named(report, webhook_id, index) for index, report in enumerate(found)]
    events = [report.event for report in found]
    check_tags(posted.source, events)
    if overload.refuses(events, posted.source):
        raise Overloaded(overload.RETRY_AFTER_S)
    return found, reports.take(found, posted.source)


def drops_refused(posted: Posted, named: Format | None = None) -> bool:
    """Say whether a sender drops what is answered 4xx, as far as can be told."""
    try:
        return (named or detect(posted)).drops_refused
    except InvalidEvent:
        return False


def _named(report: Report, webhook_id: str, index: int) -> Report:
    name = fitting.name(f"webhook {webhook_id}" + (f" {index}" if index else ""))
    event = report.event.model_copy(update={"source_event_id": name})
    return Report(event, exact=report.exact, bare=report.bare)
