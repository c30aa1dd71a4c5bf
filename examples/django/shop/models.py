"""What is sold."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Order(models.Model):
    """An order of one customer."""

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    address = models.CharField(max_length=200, blank=True)
    shipped = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"order {self.pk}"
