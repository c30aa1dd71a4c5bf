"""Print an environment with fresh secrets: `(umask 077; python3 deploy/make_env.py > .env)`.

Complete for development; with `--production` what only the site knows is left empty. Needs nothing
but Python.
"""  # noqa: INP001 - a script, run before anything is installed

import argparse
import base64
import re
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"
ASSIGNMENT = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=.*$", re.MULTILINE)

DEVELOPMENT = {
    "NOTIFIER_DEBUG": "true",
    "NOTIFIER_HTTPS": "false",
    "NOTIFIER_ALLOWED_HOSTS": "localhost,127.0.0.1",
    "EMAIL_URL": "smtp://127.0.0.1:1025",
    "DEFAULT_FROM_EMAIL": "notifier@localhost",
    "SMS_GATEWAY_ADDRESS": "sms@localhost",
}


def fresh_secrets() -> dict[str, str]:
    """Return a new value for each secret, safe in a URL, a shell and an env file."""
    return {
        "SECRET_KEY": secrets.token_hex(32),
        "NOTIFIER_FINGERPRINT_KEY": secrets.token_hex(32),
        "NOTIFIER_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "FLOWER_BASIC_AUTH": f"notifier:{secrets.token_hex(16)}",
    }


def fill(example: str, values: dict[str, str]) -> str:
    """Return the example with these values in place of its own, also where it has a line as a comment."""

    def line(found: re.Match[str]) -> str:
        name = found[1]
        return f"{name}={values[name]}" if name in values else found[0]

    return ASSIGNMENT.sub(line, example)


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--production", action="store_true", help="keep the example's own values")
    options = parser.parse_args()
    values = fresh_secrets() | ({} if options.production else DEVELOPMENT)
    sys.stdout.write(fill(EXAMPLE.read_text(encoding="utf-8"), values))


if __name__ == "__main__":
    main()
