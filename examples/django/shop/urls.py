"""Notifier needs no URLs of its host; `include("notifier.urls")` adds the HTTP intake."""

from __future__ import annotations

from django.urls import path

from shop.views import ship

urlpatterns = [path("orders/<int:number>/ship", ship)]
