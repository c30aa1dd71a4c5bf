"""What Notifier serves; a host project includes it where it likes."""

from __future__ import annotations

from django.urls import include, path

from notifier.api.health import livez, readyz
from notifier.api.pagerduty import enqueue
from notifier.api.problems import nowhere
from notifier.api.v1 import urls

urlpatterns = [
    path("api/v1/", urls),
    path("api/v1/<path:path>", nowhere),
    path("v2/enqueue", enqueue),
    path("api/v2/", include("notifier.api.argus.urls")),
    path("livez", livez),
    path("readyz", readyz),
]
