"""How bad something is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class Level(models.IntegerChoices):
    """How bad it is; 1 is the most urgent."""

    CRITICAL = 1, pgettext_lazy("event level", "critical")
    HIGH = 2, pgettext_lazy("event level", "high")
    MODERATE = 3, pgettext_lazy("event level", "moderate")
    LOW = 4, pgettext_lazy("event level", "low")
    INFORMATION = 5, pgettext_lazy("event level", "information")
