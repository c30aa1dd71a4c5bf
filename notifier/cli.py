"""The command `notifier`: Django's own, with the project's settings found by itself."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

NO_DJANGO = "notifier: Django is missing; install notifier-worker[server]."


def main() -> None:
    """Run a management command; end with a sentence where something can't be had."""
    sys.path.insert(0, str(Path.cwd()))
    if sys.argv[1:2] == ["startmedium"]:
        _without_project()
        return
    if "DJANGO_SETTINGS_MODULE" not in os.environ and find_spec("config") is None:
        sys.exit(
            "notifier: which Django project? Set DJANGO_SETTINGS_MODULE to its settings module, "
            "or run in Notifier's own directory."
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
        from django.core.management import execute_from_command_line  # noqa: PLC0415
        from django.db import OperationalError, ProgrammingError  # noqa: PLC0415
    except ImportError:
        sys.exit(NO_DJANGO)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"notifier: {error}")
    except ModuleNotFoundError as error:
        module = os.environ["DJANGO_SETTINGS_MODULE"]
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        sys.exit(f"notifier: there is no module {module}; see DJANGO_SETTINGS_MODULE.")
    except (OperationalError, ProgrammingError) as error:
        if isinstance(error, ProgrammingError) or "no such table" in str(error):
            sys.exit("notifier: the database lacks tables; run `notifier migrate`.")
        sys.exit(f"notifier: the database does not answer ({error}); see DATABASE_URL.")


def _without_project() -> None:
    """Run the command that whoever writes a plugin begins with, wherever that is."""
    try:
        from django.conf import settings  # noqa: PLC0415 - Django is an extra
    except ImportError:
        sys.exit(NO_DJANGO)
    settings.configure()
    from notifier.management.commands.startmedium import Command  # noqa: PLC0415 - needs Django

    Command().run_from_argv(sys.argv)
