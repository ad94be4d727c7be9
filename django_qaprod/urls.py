"""The pages that need no login: ``path("", include("django_qaprod.urls"))`` in the host's URLconf."""

from __future__ import annotations

from django.urls import path

from .public import alerts, watch

app_name = "qaprod_public"

urlpatterns = [
    path("alerts/<str:token>/", alerts.page, name="alerts"),
    path("watch/", watch.watch, name="watch"),
]
