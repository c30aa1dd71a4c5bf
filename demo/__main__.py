"""`python -m demo [--once]`: the whole system at work, on a machine where nothing is set up."""

from __future__ import annotations

import argparse
import os
import sys

from demo.interrupts import Interrupted
from demo.parts import PartFailed
from demo.running import run
from demo.screen import Screen

INTERRUPTED = 130
"""What a shell makes of Ctrl-C; only before the demo was ready, for then it did not do its job."""


def main() -> int:
    """Run the demo; return 0, 1 with a sentence where something failed, or 130."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="check that the right messages arrived, then end"
    )
    once: bool = parser.parse_args().once
    screen = Screen()
    try:
        code = run(screen, once=once)
    except PartFailed as error:
        if error.log:
            screen.say(f"\n{error.log}", "dim")
        screen.say(f"\n✗  {str(error).strip()}", "red")
        return 1
    except BrokenPipeError:
        # whoever read this has gone; nor is there anybody to tell when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Interrupted:
        screen.say("\nInterrupted.")
        return INTERRUPTED
    if not once:
        screen.say("\nEnded; nothing is left behind.", "dim")
    return code


if __name__ == "__main__":
    sys.exit(main())
