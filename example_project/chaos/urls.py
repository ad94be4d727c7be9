from __future__ import annotations

from django.urls import path

from . import views

app_name = "chaos"
urlpatterns = [
    path("", views.panel, name="panel"),
    path("clear/", views.clear, name="clear"),
    path("<slug:name>/", views.switch, name="switch"),
]
