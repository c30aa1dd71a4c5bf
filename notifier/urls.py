"""What Notifier serves; a host project includes it where it likes."""

from __future__ import annotations

from django.urls import path

from notifier.api.health import livez, readyz
from notifier.api.pagerduty import enqueue
from notifier.api.v1 import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("v2/enqueue", enqueue),
    path("livez", livez),
    path("readyz", readyz),
]
