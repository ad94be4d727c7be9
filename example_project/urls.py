from __future__ import annotations

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.db import transaction
from django.urls import include, path

urlpatterns = [
    path("", include("example_project.jobs.urls")),
    path("chaos/", include("example_project.chaos.urls")),
    path("admin/", admin.site.urls),
    # A real site leaves this to its web server.
    path("static/<path:path>", transaction.non_atomic_requests(serve), {"insecure": True}),
]
