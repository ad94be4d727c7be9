"""The pages that visitors see."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from django_qaprod import critical, degrade

from ..chaos import faults
from . import mail, profiles, search
from .access import own_application, remember
from .forms import PAGES, Page, SignUpForm, answers, first_unfinished
from .models import Application, FormType, School, Vacancy
from .qaprod import JobApplication

PER_PAGE = 12


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show what is new."""
    latest = _open_vacancies().order_by("-posted_on", "pk")[:6]
    return render(request, "jobs/home.html", {"vacancies": latest, "open": _open_vacancies().count()})


@require_GET
def vacancies(request: HttpRequest) -> HttpResponse:
    """List the open vacancies, filtered by words and by type."""
    query, form_type = request.GET.get("q", "").strip(), request.GET.get("type", "")
    found = _open_vacancies()
    for word in query.split()[:6]:
        found = found.filter(
            Q(title__icontains=word) | Q(school__name__icontains=word) | Q(school__town__icontains=word)
        )
    if form_type in FormType.values:
        found = found.filter(form_type=form_type)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "query": query, "form_type": form_type, "form_types": FormType.choices}
    return render(request, "jobs/vacancies.html", context)


@require_GET
def vacancy(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a vacancy."""
    found = get_object_or_404(Vacancy.objects.select_related("school"), pk=pk)
    # The fault: a template that was renamed, but not everywhere.
    salary = "jobs/_salary_band.html" if faults.on("template-error") else "jobs/_salary.html"
    others = _open_vacancies().filter(form_type=found.form_type).exclude(pk=pk)[:3]
    return render(request, "jobs/vacancy.html", {"vacancy": found, "salary": salary, "others": others})


@require_GET
def schools(request: HttpRequest) -> HttpResponse:
    """List the schools, or those that a query may mean."""
    query = request.GET.get("q", "").strip()
    listed = School.objects.all()
    # Without a search there is still the whole list to look through.
    with degrade("school search") as section:
        if query:
            listed = listed.filter(pk__in=search.schools(query))
    counted = listed.annotate(
        open=Count("vacancies", filter=Q(vacancies__closes_on__gte=timezone.localdate()))
    )
    return render(
        request, "jobs/schools.html", {"schools": counted, "query": query, "failed": section.failed}
    )


@require_GET
def school(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a school and its vacancies."""
    found = get_object_or_404(School, slug=slug)
    return render(
        request, "jobs/school.html", {"school": found, "vacancies": _open_vacancies().filter(school=found)}
    )


@require_POST
@critical(journey=JobApplication)
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin an application for a vacancy."""
    found = get_object_or_404(Vacancy, pk=pk)
    if not found.is_open:
        messages.error(request, "This vacancy has closed.")
        return redirect(found)
    teacher = request.user if request.user.is_authenticated else None
    application = Application.objects.create(vacancy=found, form_type=found.form_type, teacher=teacher)
    remember(request, application)
    return redirect("jobs:form", token=application.token, page=PAGES[application.form_type][0].slug)


@require_GET
def application(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to where the application was left."""
    found = own_application(request, token)
    if found.is_submitted:
        return redirect("jobs:done", token=found.token)
    page = first_unfinished(found)
    return (
        redirect("jobs:form", token=token, page=page.slug) if page else redirect("jobs:review", token=token)
    )


@require_http_methods(["GET", "POST"])
@critical(journey=JobApplication)
def form(request: HttpRequest, token: str, page: str) -> HttpResponse:
    """Show or save one page of an application form."""
    found = own_application(request, token)
    JobApplication.bind(found)
    if found.is_submitted:
        return redirect("jobs:done", token=token)
    pages = PAGES[found.form_type]
    current = _page(pages, page)
    if request.method == "POST":
        filled = current.form(request.POST, instance=found)
        if filled.is_valid():
            filled.save()
            JobApplication.updated.record(found, form_type=found.form_type)
            return _onwards(found, pages, current)
    else:
        filled = current.form(instance=found, initial=_known(found, current))
    context = {"application": found, "form": filled, "pages": pages, "current": current}
    return render(request, "jobs/form.html", context)


@require_GET
@critical(journey=JobApplication)
def review(request: HttpRequest, token: str) -> HttpResponse:
    """Show everything once more, with the button that sends it."""
    found = own_application(request, token)
    JobApplication.bind(found)
    if found.is_submitted:
        return redirect("jobs:done", token=token)
    context = {
        "application": found,
        "answers": answers(found),
        "pages": PAGES[found.form_type],
        "unfinished": first_unfinished(found),
        # The fault: a style sheet that one browser does not get along with. No error, nowhere.
        "button": not (faults.on("lost-button") and _is_safari(request)),
    }
    return render(request, "jobs/review.html", context)


@require_POST
@critical(journey=JobApplication)
def submit(request: HttpRequest, token: str) -> HttpResponse:
    """Submit an application, once, however often the button is pressed."""
    found = own_application(request, token, lock=True)
    JobApplication.bind(found)
    page = first_unfinished(found)
    if page and not found.is_submitted:
        messages.error(request, "Something is missing on this page.")
        return redirect("jobs:form", token=token, page=page.slug)
    if not found.is_submitted:
        found.status, found.submitted_at = Application.Status.SUBMITTED, timezone.now()
        found.save()
        JobApplication.submitted.record(found, form_type=found.form_type)
        transaction.on_commit(lambda: mail.send_application(found))
    return redirect("jobs:done", token=token)


@require_GET
def done(request: HttpRequest, token: str) -> HttpResponse:
    """Say thank you."""
    found = own_application(request, token)
    if not found.is_submitted:
        return redirect(found)
    return render(request, "jobs/done.html", {"application": found, "answers": answers(found)})


@login_required
@require_GET
def mine(request: HttpRequest) -> HttpResponse:
    """List the applications of a teacher."""
    found = Application.objects.filter(teacher=request.user.pk).select_related("vacancy__school")
    return render(request, "jobs/mine.html", {"applications": Paginator(found, 30).get_page(1)})


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Open an account."""
    filled = SignUpForm(request.POST or None)
    if request.method == "POST" and filled.is_valid():
        login(request, filled.save())
        return redirect("jobs:vacancies")
    return render(request, "registration/sign_up.html", {"form": filled})


def _open_vacancies() -> Any:
    return Vacancy.objects.filter(closes_on__gte=timezone.localdate()).select_related("school")


def _page(pages: tuple[Page, ...], slug: str) -> Page:
    for page in pages:
        if page.slug == slug:
            return page
    raise Http404(slug)


def _known(application: Application, page: Page) -> dict[str, Any]:
    """Return what need not be typed on a page: the teacher's profile, as far as nothing was saved yet."""
    names = page.form.Meta.fields  # type: ignore[attr-defined]
    if application.teacher is None or any(getattr(application, name) for name in names):
        return {}
    profile = profiles.prefill(application.teacher)
    return {name: profile[name] for name in names if name in profile}


def _onwards(application: Application, pages: tuple[Page, ...], current: Page) -> HttpResponse:
    following = pages[pages.index(current) + 1 :]
    if following:
        return redirect("jobs:form", token=application.token, page=following[0].slug)
    return redirect("jobs:review", token=application.token)


def _is_safari(request: HttpRequest) -> bool:
    agent = request.headers.get("User-Agent", "")
    return "Safari/" in agent and "Chrome" not in agent and "Chromium" not in agent
