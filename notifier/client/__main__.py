"""Look after spools: `python -m notifier.client [--directory DIR] [show | retry [N] | drop N]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from notifier.client.spool import SUFFIX, Spool, state_directory
from notifier.errors import QueueUnavailable


def main(argv: list[str] | None = None) -> int:
    """Run a command; 1 where something waits or was refused, or the spool can't be used."""
    parser = argparse.ArgumentParser(prog="python -m notifier.client", description=main.__doc__)
    parser.add_argument("--directory", type=Path, help="the Notifier's `spool`, if it named one")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("show", help="what waits, and what was refused, with the reasons (default)")
    retry = commands.add_parser("retry", help="let what was refused be posted again")
    retry.add_argument("number", type=int, nargs="?", help="this one alone")
    drop = commands.add_parser("drop", help="give up an event that was refused")
    drop.add_argument("number", type=int)
    given = parser.parse_args(argv)
    try:
        spools = list(_spools(given.directory or state_directory()))
        if given.command == "retry":
            found = sum(each.retry(given.number) for each in spools)
            _say(f"{found} will be posted by the program that spools here, with its next event.")
            return 0
        if given.command == "drop":
            _say(f"{sum(each.drop(given.number) for each in spools)} dropped.")
            return 0
        return int(sum(_show(each) for each in spools) > 0)
    except QueueUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _spools(directory: Path) -> Iterator[Spool]:
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        yield Spool(path, most_events=0, most_bytes=0)


def _show(spool: Spool) -> bool:
    """Print a spool; return whether it holds anything."""
    state = spool.state()
    _say(
        f"{spool.path}: {state.waiting} waiting (the oldest for {state.oldest_s:.0f} s), "
        f"{state.refused} refused, {state.bytes:,} bytes"
    )
    for each in spool.refused():
        _say(f"  {each.number}  event {each.id}: {each.reason}")
    return bool(state.waiting or state.refused)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
