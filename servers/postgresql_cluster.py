"""PostgreSQL's data directory: made for a user that is not root, and removed without a trace."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from servers.postgresql_programs import find_postgresql
from servers.process import ServerMissing
from servers.unprivileged import can_reach, run_as


def programs_for(user: str | None) -> Path:
    programs = find_postgresql()
    if not can_reach(user, programs / "postgres"):
        raise ServerMissing(
            f"PostgreSQL refuses to run as root, and the user {user} may not run the one in "
            f"{programs}. Install the system's package `postgresql`, or set PG_BINDIR."
        )
    return programs


def home_for(user: str | None, directory: Path) -> Path:
    """Make a directory for the data that `user` owns and can reach."""
    reachable = can_reach(user, directory)
    home = Path(tempfile.mkdtemp(prefix="postgresql-", dir=directory if reachable else None))
    if user:
        shutil.chown(home, user)
    if not can_reach(user, home):
        home.rmdir()
        raise RuntimeError(
            f"The user {user} cannot reach {home.parent}: set TMPDIR to a directory everybody can"
        )
    return home


def free_shared_memory(data: Path) -> None:
    """Remove the one System V segment that a killed server leaves in the kernel."""
    lock_file = data / "postmaster.pid"  # its seventh line: key and id; gone after an orderly end
    lines = lock_file.read_text().splitlines() if lock_file.exists() else []
    ipcrm = shutil.which("ipcrm")
    if ipcrm and len(lines) > 6 and lines[6].split():  # noqa: PLR2004
        subprocess.run([ipcrm, "-m", lines[6].split()[-1]], capture_output=True, check=False)


def create_cluster(programs: Path, data: Path, *, user: str | None, password: str) -> None:
    """Fill a data directory, with the superuser notifier; raises RuntimeError with the reason."""
    password_file = data.parent / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if user:
        shutil.chown(password_file, user)
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", "notifier", "--no-sync"]
    initdb += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
    result = run_as(user, [*initdb, f"--pwfile={password_file}"], directory=data.parent)
    password_file.unlink()
    if result.returncode:
        raise RuntimeError(f"initdb failed:\n{result.stdout[-2000:]}")
