"""The routes that are measured."""

from __future__ import annotations

from django.apps import apps
from django.urls import path

from . import views

urlpatterns = [
    path("plain/", views.plain),
    path("async/plain/", views.aplain),
    path("vacancies/<int:pk>/", views.vacancy),
    path("async/vacancies/<int:pk>/", views.avacancy),
    path("broken/", views.broken),
    path("async/broken/", views.abroken),
    path("kinds/<int:number>/", views.kind),
    path("steps/<str:how>/", views.step),
]

if apps.is_installed("django.contrib.admin"):
    from django.contrib import admin

    urlpatterns.append(path("admin/", admin.site.urls))
