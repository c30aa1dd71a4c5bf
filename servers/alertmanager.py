"""A private Prometheus Alertmanager on a loopback port, which posts to one web hook."""

import json
import os
import shutil
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers import packages
from servers.process import Process, ServerMissing
from servers.server import Server
from servers.waiting import listenable

PROGRAMS = ("prometheus-alertmanager", "amtool")
MISSING = (
    "No Alertmanager with amtool found. Install them (Debian, Ubuntu: apt-get install "
    "prometheus-alertmanager; elsewhere: the archive of Alertmanager's releases, its `alertmanager` "
    "on PATH as prometheus-alertmanager)."
)


def find_alertmanager() -> list[Path]:
    """Return the server's program and amtool's, installing Debian's as root where one is missing.

    Raises ServerMissing.
    """
    found = _on_path()
    if not all(found) and packages.can_install() and packages.install("prometheus-alertmanager"):
        packages.disable_service("prometheus-alertmanager")
        found = _on_path()
    if not all(found):
        raise ServerMissing(MISSING)
    return [Path(each) for each in found if each]


def _on_path() -> list[str | None]:
    return [shutil.which(program) for program in PROGRAMS]


class AlertmanagerServer(Server):
    """An Alertmanager that posts alerts to `url`, ready when the constructor returns.

    `http_config` is how it proves who it is. It groups by alertname, waits a moment before it posts
    a group and a second between two posts of it, and knows no other Alertmanager. Its data is in
    `directory`. Raises ServerMissing, RuntimeError, TimeoutError, OSError as others do.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        http_config: object,
        *,
        name: str = "alertmanager",
        port: int | None = None,
    ) -> None:
        server, self._amtool = find_alertmanager()
        self.port = listenable(port)
        self.url = f"http://127.0.0.1:{self.port}"
        home = directory / name
        home.mkdir()
        # YAML holds JSON
        (home / "config.yml").write_text(json.dumps(_config(url, http_config)))
        argv = [
            str(server),
            f"--config.file={home / 'config.yml'}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        self.process = Process(name, argv, directory=directory)
        self._wait_until_ready()

    def fire(self, *labels: str, **annotations: str) -> None:
        """Add an alert by amtool: `fire("alertname=DiskFull", summary="…")`."""
        self._add(labels, annotations)

    def resolve(self, *labels: str, **annotations: str) -> None:
        """Let an alert have ended a moment ago."""
        ended = datetime.now(UTC) - timedelta(milliseconds=1)
        self._add(labels, annotations, f"--end={ended.isoformat()}")

    def _add(self, labels: tuple[str, ...], annotations: dict[str, str], *options: str) -> None:
        notes = [f"--annotation={name}={value}" for name, value in annotations.items()]
        command = [str(self._amtool), f"--alertmanager.url={self.url}", "alert", "add"]
        subprocess.run(
            [*command, *notes, *options, *labels],
            env={
                **os.environ,
                "HOME": str(self.process.log_path.parent),
            },  # no configuration of ours
            check=True,
            capture_output=True,
            timeout=30,
        )

    def _answers(self) -> bool:
        try:
            # raises for any status but 2xx
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).close()  # noqa: S310 - ours
        except OSError:
            return False
        return True


def _config(url: str, http_config: object) -> dict[str, object]:
    hook = {"url": url, "send_resolved": True, "http_config": http_config}
    return {
        "route": {
            "receiver": "notifier",
            "group_by": ["alertname"],
            "group_wait": "200ms",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "notifier", "webhook_configs": [hook]}],
    }
