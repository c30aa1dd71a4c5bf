"""What the demo's programs find around them: secrets made for this run, ports, a database."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from servers.process import free_port

ROOT = Path(__file__).resolve().parent.parent
ZONE = "Europe/Oslo"

# A list of what stays, not of what goes: else every new setting of the site would leak in here,
# and the demo might write to somebody's real database.
_KEPT = {
    *("PATH", "HOME", "USER", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "VIRTUAL_ENV"),
    *("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"),
    *("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "REDIS_SERVER"),
}


def _password() -> str:
    return secrets.token_urlsafe(9)


@dataclass(frozen=True)
class Surroundings:
    """Where things are, and who may open them. Passwords live as long as the demo."""

    directory: Path
    web_port: int = field(default_factory=free_port)
    flower_port: int = field(default_factory=free_port)
    admin_password: str = field(default_factory=_password, repr=False)
    flower_password: str = field(default_factory=_password, repr=False)

    def move_in(self) -> None:
        """Replace this process's environment, which every program inherits."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        os.environ.clear()
        os.environ.update(kept | self._settings())

    def meet(self, redis_url: str, smtp_port: int) -> None:
        """Add the addresses of the servers that run now."""
        os.environ["REDIS_URL"] = redis_url
        os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{smtp_port}"

    def _settings(self) -> dict[str, str]:
        media = ("email.EmailNotification", "sms_as_email.SMSNotification")
        return {
            "TMPDIR": str(self.directory),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "NOTIFIER_FINGERPRINT_KEY": secrets.token_urlsafe(48),
            "NOTIFIER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "NOTIFIER_HTTPS": "false",
            "NOTIFIER_TIME_ZONE": ZONE,
            "DATABASE_URL": f"sqlite:///{self.directory / 'demo.sqlite3'}",
            "MEDIA_PLUGINS": ",".join(f"notifier.media.{each}" for each in media),
            "SMS_GATEWAY_ADDRESS": "sms@gateway.example",
            # in the environment: a command line is for everybody on this machine to read
            "FLOWER_BASIC_AUTH": f"demo:{self.flower_password}",
        }
