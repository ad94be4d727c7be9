"""Applications to keep: streamed, as a site does with what may be long."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from ..chaos import faults
from .access import own_application
from .forms import Page, answers
from .models import Application
from .qaprod import JobApplication


@require_GET
def as_csv(request: HttpRequest, token: str) -> StreamingHttpResponse:
    """Stream an application as CSV."""
    found = own_application(request, token)
    JobApplication.bind(found)
    response = StreamingHttpResponse(_rows(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="application-{found.pk}.csv"'
    return response


@require_GET
def as_page(request: HttpRequest, token: str) -> StreamingHttpResponse:
    """Stream an application as a page for the printer."""
    found = own_application(request, token)
    JobApplication.bind(found)
    return StreamingHttpResponse(_parts(found))


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _rows(application: Application) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(("Page", "Question", "Answer"))
    for page, pairs in _sections(application):
        for question, answer in pairs:
            yield writer.writerow((page.title, question, _plain(answer)))


def _parts(application: Application) -> Iterator[str]:
    yield render_to_string("jobs/print_head.html", {"application": application})
    for page, pairs in _sections(application):
        yield render_to_string("jobs/print_section.html", {"page": page, "pairs": pairs})
    yield render_to_string("jobs/print_foot.html")


def _sections(application: Application) -> Iterator[tuple[Page, list[tuple[str, Any]]]]:
    for number, section in enumerate(answers(application)):
        if number == 1 and faults.on("broken-stream"):
            # By now the visitor has been told that all is well: the status went out with the first part.
            raise UnicodeError("The archive's text is in no encoding that anybody knows.")
        yield section


def _plain(answer: object) -> str:
    """Return an answer as a cell that no spreadsheet takes for a formula."""
    text = "" if answer is None else str(answer)
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
