"""`notifier startmedium`: the package of a new medium, complete and passing its tests."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifier.media.registry import installed_slugs

TEMPLATE = Path(__file__).parent.parent / "medium_template"
SUFFIX = "-tpl"
"""Keeps tools from taking the template's files for code of ours."""
MOST_CHARACTERS = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Command(BaseCommand):
    """Writes a plugin's package; needs no project and no database."""

    help = "Write the package of a new medium, with its form, its send and its tests."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("name", help="the medium's slug, such as pager or acme-chat")
        parser.add_argument(
            "--directory", type=Path, help="what to make; default: notifier-NAME, right here"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write it; refuse a bad name, and a directory that exists."""
        name = options["name"]
        directory = options["directory"] or Path(f"notifier-{name}")
        if not _NAME.fullmatch(name) or len(name) > MOST_CHARACTERS:
            raise CommandError(
                f"name: {name!r} must be lower-case letters and digits, in words joined by hyphens, "
                f"{MOST_CHARACTERS} characters at most, such as pager or acme-chat."
            )
        if name in installed_slugs():
            raise CommandError(f"name: there is a medium {name!r} already; take another name.")
        try:
            write(name, directory)
        except FileExistsError as error:
            raise CommandError(f"--directory: {directory} exists; give another one.") from error
        except OSError as error:
            raise CommandError(f"--directory: {directory} can't be written ({error}).") from error
        self.stdout.write(f"Wrote {directory}; its README.md says how to go on.")


def write(name: str, directory: Path) -> None:
    """Write the package of a medium into a directory that is made; raise `OSError`."""
    words = name.split("-")
    package = f"notifier_{'_'.join(words)}"
    texts = {
        "slug": name,
        "title": " ".join(words).capitalize(),
        "package": package,
        "cls": "".join(word.capitalize() for word in words) + "Notification",
        "version": version("notifier-worker"),
        "year": str(datetime.now(UTC).year),
    }
    directory.mkdir(parents=True)
    for source in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        place = source.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX)
        target = directory / place.replace("/package/", f"/{package}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text("utf-8")).substitute(texts), "utf-8")
