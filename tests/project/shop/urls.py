from __future__ import annotations

from django.urls import path

from . import views

app_name = "shop"

urlpatterns = [
    path("ok/", views.ok, name="ok"),
    path("aok/", views.aok, name="aok"),
    path("raising/", views.raising, name="raising"),
    path("araising/", views.araising, name="araising"),
    path("orders/<str:number>/", views.order, name="order"),
    path("streaming/", views.streaming, name="streaming"),
    path("astreaming/", views.astreaming, name="astreaming"),
    path("read-then-write/", views.read_then_write, name="read_then_write"),
]
