from __future__ import annotations

from django.urls import path

from . import views

app_name = "chaos"
urlpatterns = [
    path("", views.panel, name="panel"),
    path("told/", views.told, name="told"),
    path("told/<str:name>/", views.told_as_html, name="told-as-html"),
    path("clear/", views.clear, name="clear"),
    path("<slug:name>/", views.switch, name="switch"),
]
