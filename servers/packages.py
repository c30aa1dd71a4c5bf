"""Find a server's program, or install it where that is allowed."""

import fcntl
import logging
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

logger = logging.getLogger(__name__)


def wheel_directory(module: str) -> Path | None:
    """Return the directory of an installed Python package, without importing it."""
    spec = find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def can_install() -> bool:
    """Say whether this is root on a system with apt-get: a container or a CI machine, mostly."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str) -> bool:
    """Install a Debian package without starting its services; return whether it worked."""
    logger.warning("installing the package %s with apt-get", package)
    get = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    command = [*get, "install", "-y", "--no-install-recommends", package]
    # apt waits for dpkg's lock but not for its own: parallel tests would install at the same time
    with (Path(gettempdir()) / "notifier-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _run(command) or (_run([*get, "update"]) and _run(command))


def disable_service(name: str) -> None:
    """Stop a service that an installation may have started, now and at the next boot."""
    _run(["service", name, "stop"])
    _run(["update-rc.d", name, "disable"])


def _run(command: list[str]) -> bool:
    # With these two, neither init scripts nor systemd start what is being installed. Where the
    # `runlevel` program is missing (slim images) the first does nothing, hence disable_service.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1", "SYSTEMD_OFFLINE": "1"}
    if command[0] == "service":
        quiet = {}
    # root's programs too, which a user's PATH may lack: dpkg wants them as well
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        result = subprocess.run(
            command,
            env={**os.environ, "PATH": path, **quiet},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # a slim image has no `service`, and so nothing that it started
        return False
    if result.returncode:
        logger.warning("%s failed: %s", " ".join(command), result.stderr[-1000:])
    return result.returncode == 0
