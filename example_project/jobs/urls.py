from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from . import downloads, views

jobs = (
    [
        path("", views.home, name="home"),
        path("vacancies/", views.vacancies, name="vacancies"),
        path("vacancies/<int:pk>/", views.vacancy, name="vacancy"),
        path("vacancies/<int:pk>/apply/", views.start, name="start"),
        path("schools/", views.schools, name="schools"),
        path("schools/<slug:slug>/", views.school, name="school"),
        path("applications/", views.mine, name="mine"),
        path("applications/<uuid:token>/", views.application, name="application"),
        path("applications/<uuid:token>/form/<slug:page>/", views.FormPage.as_view(), name="form"),
        path("applications/<uuid:token>/review/", views.review, name="review"),
        path("applications/<uuid:token>/submit/", views.submit, name="submit"),
        path("applications/<uuid:token>/done/", views.done, name="done"),
        path("applications/<uuid:token>/application.csv", downloads.as_csv, name="csv"),
        path("applications/<uuid:token>/print/", downloads.as_page, name="print"),
        path("accounts/sign-up/", views.sign_up, name="sign-up"),
    ],
    "jobs",
)

urlpatterns = [
    path("", include(jobs)),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
]
