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
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.generic import UpdateView

from django_qaprod import ServeFormMixin, critical, degrade, serve_form

from ..chaos import breaks, faults
from . import kept, mail, profiles, search
from .access import SESSION, own_application, remember
from .forms import (
    BY_SLUG,
    PAGES,
    Page,
    SignUpForm,
    StartForm,
    StepForm,
    SubmitForm,
    answers,
    first_unfinished,
)
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
# Not kept: an application that is begun later, without its visitor, could not be opened by them.
@serve_form(StartForm, title="Apply", journey=JobApplication, rescue=False)
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


@method_decorator(critical(journey=JobApplication), name="dispatch")
class FormPage(ServeFormMixin, UpdateView):
    """Show or save one page of an application form."""

    serve = {
        "title": lambda request, token, page: BY_SLUG[page].title,
        "journey": JobApplication,
        "session": SESSION,
        "thanks": kept.lead_on,
    }
    template_name = "jobs/form.html"
    http_method_names = ["get", "head", "post"]
    context_object_name = "application"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        if self.object.is_submitted:
            return redirect("jobs:done", token=self.object.token)
        breaks.before_the_work(request)
        return self._page(self.get_form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        if self.object.is_submitted:
            return redirect("jobs:done", token=self.object.token)
        breaks.before_the_work(request)
        filled = self.get_form()
        return self.form_valid(filled) if filled.is_valid() else self._page(filled)

    def get_object(self, queryset: Any = None) -> Application:
        found = own_application(self.request, self.kwargs["token"])
        JobApplication.bind(found)
        _current(found, self.kwargs["page"])
        return found

    def get_form_class(self) -> type[StepForm]:
        # By the address alone, so that it is known when the application cannot be read.
        return BY_SLUG[self.kwargs["page"]].form

    def get_initial(self) -> dict[str, Any]:
        # An application that cannot be read is none, and its page is served all the same.
        known = self.object is not None and self.request.method != "POST"
        return _known(self.object, self.get_form_class()) if known else {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        pages = PAGES[self.object.form_type] if self.object is not None else ()
        # The fault: a template that was renamed, but not everywhere.
        steps = "jobs/_progress.html" if faults.on("broken-page") else "jobs/_steps.html"
        current = BY_SLUG[self.kwargs["page"]]
        return super().get_context_data(pages=pages, current=current, steps=steps, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        self.object = form.save()
        JobApplication.updated.record(self.object, form_type=self.object.form_type)
        breaks.after_the_work()
        return _onwards(self.object, self.kwargs["page"])

    def _page(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))


@require_GET
@critical(journey=JobApplication)
def review(request: HttpRequest, token: str) -> HttpResponse:
    """Show everything once more, with the button that sends it."""
    found = own_application(request, token)
    JobApplication.bind(found)
    if found.is_submitted:
        return redirect("jobs:done", token=token)
    return render(request, "jobs/review.html", {**_reviewed(request, found), "form": SubmitForm()})


def _own(request: HttpRequest, token: str) -> dict[str, Any]:
    return {"application": own_application(request, token)}


@require_POST
@critical(journey=JobApplication)
@serve_form(
    SubmitForm,
    title="Send your application",
    template="jobs/review.html",
    journey=JobApplication,
    session=SESSION,
    form_kwargs=_own,
    context=lambda request, token: _reviewed(request, own_application(request, token)),
)
def submit(request: HttpRequest, token: str) -> HttpResponse:
    """Submit an application, once, however often the button is pressed."""
    found = own_application(request, token, lock=True)
    JobApplication.bind(found)
    if found.is_submitted:
        return redirect("jobs:done", token=token)
    breaks.before_the_work(request)
    form = SubmitForm(request.POST, application=found)
    if not form.is_valid():
        return render(request, "jobs/review.html", {**_reviewed(request, found), "form": form})
    found.status, found.submitted_at = Application.Status.SUBMITTED, timezone.now()
    found.save()
    JobApplication.submitted.record(found, form_type=found.form_type)
    transaction.on_commit(lambda: mail.send_application(found))
    breaks.after_the_work()
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
# Not kept: without its password an account is of no use.
@serve_form(SignUpForm, title="Sign up", template="registration/sign_up.html", rescue=False)
def sign_up(request: HttpRequest) -> HttpResponse:
    """Open an account."""
    filled = SignUpForm(request.POST or None)
    if request.method == "POST" and filled.is_valid():
        login(request, filled.save())
        return redirect("jobs:vacancies")
    return render(request, "registration/sign_up.html", {"form": filled})


def _open_vacancies() -> Any:
    return Vacancy.objects.filter(closes_on__gte=timezone.localdate()).select_related("school")


def _reviewed(request: HttpRequest, application: Application) -> dict[str, Any]:
    return {
        "application": application,
        "answers": answers(application),
        "pages": PAGES[application.form_type],
        "unfinished": first_unfinished(application),
        # The fault: a style sheet that one browser does not get along with. No error, nowhere.
        "look": "new-look" if faults.on("lost-button") else "",
    }


def _current(application: Application, slug: str) -> Page:
    for page in PAGES[application.form_type]:
        if page.slug == slug:
            return page
    raise Http404(slug)


def _known(application: Application, form: type[StepForm]) -> dict[str, Any]:
    """Return what need not be typed on a page: the teacher's profile, as far as nothing was saved yet."""
    names = form.Meta.fields  # type: ignore[attr-defined]
    if application.teacher is None or any(getattr(application, name) for name in names):
        return {}
    profile = profiles.prefill(application.teacher)
    return {name: profile[name] for name in names if name in profile}


def _onwards(application: Application, slug: str) -> HttpResponse:
    pages = PAGES[application.form_type]
    following = pages[pages.index(_current(application, slug)) + 1 :]
    if following:
        return redirect("jobs:form", token=application.token, page=following[0].slug)
    return redirect("jobs:review", token=application.token)
