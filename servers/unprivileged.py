"""Run a program that refuses to run as root."""

import os
import pwd
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def stand_in_for_root() -> str | None:
    """Return the user to run as, or None when this process is not root and can do it itself."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("This is root, and there is neither a user postgres nor nobody to run as")


def run_as(
    user: str | None, argv: "Sequence[str]", *, directory: "Path"
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as `user` (None: as ourselves) and return exit code and output."""
    return subprocess.run(
        argv,
        cwd=directory,
        env={**os.environ, "LC_ALL": "C"},
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def can_reach(user: str | None, path: "Path") -> bool:
    """Say whether `user` may enter this directory, or run this program."""
    test = ["/bin/sh", "-c", 'test -x "$0"', str(path.absolute())]
    return run_as(user, test, directory=path if path.is_dir() else path.parent).returncode == 0
