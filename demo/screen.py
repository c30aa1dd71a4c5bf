"""What the demo shows: live in a terminal, the same as plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from demo.parts import Part

WIDEST = 100


class Screen:
    """A terminal, a file or a pipe."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 gets a "?"
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = WIDEST

    def show(self, *what: RenderableType) -> None:
        """Print below what was printed before."""
        with self._console.capture() as capture:
            for each in what:
                self._console.print(_framed(each))
        # a file needs no lines filled up with spaces
        for line in capture.get().splitlines():
            self._console.file.write(line.rstrip() + "\n")
        self._console.file.flush()

    def say(self, sentence: str, style: str = "") -> None:
        """Print a line, or several."""
        self.show(Text(sentence, style))

    def headline(self, title: str, remark: str = "") -> None:
        """Print an empty line and a headline."""
        self.show("", Text.assemble((title, "bold"), ("  " + remark if remark else "", "dim")))

    def verbatim(self, text: str) -> None:
        """Print what is meant to be copied: not wrapped."""
        self._console.print(Text(text, "cyan"), soft_wrap=True)

    @contextmanager
    def live(self, render: Callable[[], RenderableType], *, keep: bool) -> Iterator[None]:
        """Redraw while the block runs; afterwards `keep` the last state, or wipe it.

        Where nothing can be redrawn, only a kept last state is printed.
        """
        if self._console.is_terminal:
            live = Live(
                get_renderable=lambda: _framed(render()),
                console=self._console,
                refresh_per_second=12,
                transient=True,
            )
            with live:
                yield
        else:
            yield
        if keep:
            self.show(render())


def parts_table(parts: Sequence[Part], spinner: Spinner) -> RenderableType:
    """Return the programs, which of them are ready, and what they are for."""
    table = Table.grid(padding=(0, 2))
    for part in parts:
        mark = Text("✓", "green") if part.ready else spinner
        table.add_row(mark, Text(part.name), Text(part.role, "dim"))
    return table


def pairs(rows: Sequence[tuple[str, str, str]]) -> RenderableType:
    """Return lines of a name, a value and a dim remark."""
    table = Table.grid(padding=(0, 2))
    for name, value, remark in rows:
        table.add_row(Text(name), Text(value, "cyan"), Text(remark, "dim"))
    return table


def _framed(what: RenderableType) -> RenderableType:
    return Constrain(Padding(what, (0, 1)), WIDEST)
