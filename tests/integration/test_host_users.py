"""A host's own user model: any, as long as it names people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).parents[2]
MODELS = """
import uuid
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models

class Person(AbstractBaseUser):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    address = models.EmailField(unique=True)
    USERNAME_FIELD = EMAIL_FIELD = "address"
    objects = BaseUserManager()
"""
"""With a key of its own, and no column that says whether an account is active."""
PROGRAM = """
import json, sys
import django
from django.conf import settings
from notifier.testing import settings as least

settings.configure(**{name: getattr(least, name) for name in dir(least) if name.isupper()} | {
    "INSTALLED_APPS": [*least.INSTALLED_APPS, "people"],
    "AUTH_USER_MODEL": "people.Person",
    "MEDIA_PLUGINS": ["notifier.media.email.EmailNotification"],
    "DATABASES": {"default": json.loads(sys.argv[1])},
})
django.setup()

from django.core.management import call_command
from django.db import connection
from notifier import notify
from notifier.delivering.dispatching import dispatch
from notifier.matching.triggers import missing_triggers
from notifier.models import Delivery
from people.models import Person

call_command("check", stdout=sys.stderr)
connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
try:
    anna = Person.objects.create(address="anna@example.org")
    notify("one", recipients=["anna@example.org"])
    told = [dispatch()["deliveries"]]
    Person.objects.update(address="anne@example.org")
    notify("two", recipients=["anne@example.org"])
    told.append(dispatch()["deliveries"])
    of_anna = Delivery.objects.filter(user=anna).count()
    anna.delete()
    notify("three")
    told.append(dispatch()["deliveries"])
    print(json.dumps([told, of_anna, missing_triggers()]))
finally:
    connection.creation.destroy_test_db("", verbosity=0)
"""


def test_people_of_a_hosts_own_model_are_told(tmp_path: Path, worker_id: str) -> None:
    app = tmp_path / "people"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "models.py").write_text(MODELS)
    names = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
    database = {name: connection.settings_dict[name] for name in names}
    database["NAME"] = f"host_{worker_id}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(database)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[1, 1, 0], 2, []]
