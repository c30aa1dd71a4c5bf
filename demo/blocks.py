"""How people and events look on the screen."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from demo.following import Outcome, Share, Told
from demo.people import PEOPLE
from notifier.models import Event
from notifier.models.event import Level

_STYLES = {Level.CRITICAL: "bold red", Level.HIGH: "bold yellow", Level.MODERATE: "yellow"}


def people_table() -> RenderableType:
    """Return who they are and what each wants to be told."""
    table = Table.grid(padding=(0, 2))
    for person in PEOPLE:
        about = Text(f"{person.team}, {person.city}", "dim", no_wrap=True)
        table.add_row(Text(person.name, "bold"), about, Text(person.wants))
    return table


def outcome_block(outcome: Outcome, spinner: Spinner) -> RenderableType:
    """Return an event and what became of it, person by person."""
    event = outcome.event
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, width=9)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True, justify="right", width=11)
    level = Text(event.get_level_display(), _STYLES.get(Level(event.level), "dim"))
    when = Text(f"{outcome.local_time:%a %H:%M}", "bold cyan")
    table.add_row(when, Text(event.description, "bold"), level)
    table.add_row("", Text(_origin(event), "dim"), "")
    for share in outcome.shares:
        _add_share(table, share, spinner, dispatched=outcome.dispatched)
    return Group("", table)


def _origin(event: Event) -> str:
    parts = [event.source.name]
    if event.incident:
        parts.append(f"{event.get_type_display()} of incident {event.incident.incident_key}")
    if event.recipients is not None:
        parts.append(f"addressed to {', '.join(map(str, event.recipients))}")
    return " · ".join(parts)


def _add_share(table: Table, share: Share, spinner: Spinner, *, dispatched: bool) -> None:
    name = f"  {share.person.name}"
    if not dispatched:
        table.add_row(Text(name, "dim"), spinner, "")
    elif share.told:
        for told in share.told:
            table.add_row(Text(name), *_told(told, spinner))
            name = ""
    else:
        why = Group(*(Text(f"○  {sentence}", "dim") for sentence in share.refusals))
        table.add_row(Text(name, "dim"), why, "")


def _told(told: Told, spinner: Spinner) -> tuple[RenderableType, RenderableType]:
    text = Text(f"{told.medium:<6} {told.address}")
    if told.caught_after_s is not None:
        return Text.assemble(("✓  ", "green"), text), Text(f"{told.caught_after_s:.2f} s", "dim")
    if told.problem:
        return Text.assemble(("✗  ", "red"), text, (f" {told.problem}", "red")), ""
    row = Table.grid(padding=(0, 2))
    row.add_row(spinner, text)
    return row, ""
