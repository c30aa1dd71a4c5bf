"""Where everything is served."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Notifier"
admin.site.index_title = "Administration"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("notifier.urls")),
]
