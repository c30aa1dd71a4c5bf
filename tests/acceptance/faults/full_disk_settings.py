"""The service's settings, for processes whose disk fills up."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.acceptance.faults.full_disk.FullDisk"]
