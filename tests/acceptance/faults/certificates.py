"""Certificates that nobody should trust."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def self_signed(directory: Path) -> Path:
    """Make a certificate for 127.0.0.1, with its key, in one PEM file."""
    program = shutil.which("openssl")
    if program is None:
        raise RuntimeError(
            "The program openssl is missing (Debian, Ubuntu: apt-get install openssl)"
        )
    path = directory / "self-signed.pem"
    argv = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    argv += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", str(path)]
    made = subprocess.run(
        [*argv, "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with path.open("ab") as file:
        file.write(made.stdout)
    return path
