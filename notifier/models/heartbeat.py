"""Signs of life that outlive Redis."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When something that must go on happened last, such as the sweep."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M:%S}"
