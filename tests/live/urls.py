from __future__ import annotations

from django.urls import include, path

from . import views

urlpatterns = [
    path("", include("tests.project.shop.urls")),
    path("order/", views.order),
    path("submit/<str:number>/", views.submit),
    path("raise/<str:word>/", views.raise_word),
]
