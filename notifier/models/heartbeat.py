"""Signs of life that outlive Redis."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Heartbeat(models.Model):
    """When something that must go on happened last, such as the sweep."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def beat(cls, name: str) -> None:
        """Note that it happened now."""
        cls.objects.update_or_create(name=name, defaults={"at": timezone.now()})
