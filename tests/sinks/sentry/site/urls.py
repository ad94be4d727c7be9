from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("raising/<str:word>/", views.raising),
    path("araising/<str:word>/", views.araising),
    path("degraded/<str:word>/", views.degraded),
    path("adegraded/<str:word>/", views.adegraded),
    path("logging/<str:word>/", views.logging_error),
    path("apply/<str:word>/", views.apply),
]
