"""The service's settings, for processes whose clock jumps."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.acceptance.faults.moved_clock.MovedClock"]
