"""The pages of the ladder: the host's own with a notice, the plain one, and those without a form."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.template import Context, Engine
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.cache import add_never_cache_headers
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django.utils.translation import get_language, get_language_bidi

from . import plain as plain_form
from .building import FREE_TEXT, Built
from .confirmed import NONCE, nonce_of
from .notices import Notice, Placed

if TYPE_CHECKING:
    from .call import Call
    from .rescue import Kept

_TEMPLATES = Path(__file__).parent.parent / "templates"
_STYLESHEET = "qaprod/forms.css"
_MULTIPART = "multipart/form-data"

# The opening tag, whatever is in its attributes.
_TAG = r"""<%s(?:\s(?:[^>"']|"[^"]*"|'[^']*')*)?>"""
_PLACES = tuple(re.compile(_TAG % name, re.IGNORECASE) for name in ("main", "body"))

# Made of nothing: for when even our own templates cannot be rendered.
_LAST_RESORT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head><body><main><h1>{title}</h1><p role="status">{text}</p></main></body></html>
"""


def of_host(call: Call, built: list[Built], notice: Notice, status: int) -> HttpResponse:
    """Return the host's template with the forms and a notice."""
    forms = {one.name: one.form for one in built}
    placed = Placed(render_to_string("qaprod/forms/notice.html", {"notice": notice}))
    given = {**call.context(forms), **forms, "qaprod_notice": placed}
    page = render_to_string(call.templates(), given, call.request)
    for one in built:
        _require_fields(page, one)
    return _response(page if placed.shown else _with_notice(page, str(placed)), status)


def plain(call: Call, built: list[Built], notice: Notice, status: int) -> HttpResponse:
    """Return our own page with the forms: no database, session, context processor or ``request.user``."""
    parts = [plain_form.part_of(call, one) for one in built]
    token = call.attempt("csrf", lambda: get_token(call.request))
    free = [name for part in parts for name in part.free_text]
    page = {
        "title": call.title(),
        "notice": notice,
        "parts": parts,
        "token": token if isinstance(token, str) else "",
        "free_text_name": FREE_TEXT,
        "free_text": ",".join(free),
        "nonce_name": NONCE,
        "nonce": nonce_of(call.request),
        "multipart": any(part.multipart for part in parts),
        "problems": [problem for part in parts for problem in part.problems],
    }
    return _page("form.html", page, status)


def received(call: Call, reference: str) -> HttpResponse:
    """Return the page that says that a submission is kept, with a way back to where the form stood."""
    values = {"title": call.title(), "reference": reference, "back": _page_of_form(call.request)}
    return _page("received.html", values, 202)


def unavailable(call: Call) -> HttpResponse:
    """Return the page for when there is no form to show."""
    return _page("unavailable.html", {"title": call.title()}, 503)


def thanks(call: Call, kept: Kept) -> HttpResponseBase:
    """Return the host's own answer to a submission that is kept."""
    given = call.options.thanks
    response = given(call.request, kept) if callable(given) else redirect(given)
    if not isinstance(response, HttpResponseBase):
        raise TypeError(f"thanks made {type(response).__name__}, which is no response.")
    if callable(render := getattr(response, "render", None)):
        response = render()
    return response


def last_resort(reference: str = "") -> HttpResponse:
    """Return a page that nothing can break."""
    if reference:
        title, text = "Received", f"We have received what you sent. Your reference is {reference}."
        return _response(_LAST_RESORT.format(title=title, text=text), 202)
    title, text = "Temporarily unavailable", "We have a technical problem. Please try again in a few minutes."
    return _response(_LAST_RESORT.format(title=title, text=text), 503)


def _page_of_form(request: HttpRequest) -> str:
    """Return the path of the page that sent the form, if it is of this site; else of where it was sent.

    Without its query, which may hold what is nobody's business.
    """
    sent_by = request.META.get("HTTP_REFERER", "")
    try:
        ours = url_has_allowed_host_and_scheme(sent_by, request.get_host())
    except DisallowedHost:
        ours = False
    path = urlsplit(sent_by).path if ours else ""
    # What begins with two slashes would be another site.
    return escape_leading_slashes(path or escape_uri_path(request.path))


def _page(template: str, values: dict[str, Any], status: int) -> HttpResponse:
    surroundings = {
        "language": get_language() or django_settings.LANGUAGE_CODE,
        "direction": "rtl" if get_language_bidi() else "ltr",
        "stylesheet": _stylesheet(),
    }
    page = _engine().get_template(f"qaprod/forms/{template}")
    return _response(page.render(Context({**surroundings, **values})), status)


def _response(page: str, status: int) -> HttpResponse:
    response = HttpResponse(page, status=status)
    add_never_cache_headers(response)
    return response


def _require_fields(page: str, built: Built) -> None:
    """Raise if a template shows nothing of a form: it may have looked for it in what could not be had."""
    names = [form.add_prefix(name) for form in built.forms for name in form.fields]
    if names and not any(re.search(rf"""\bname=["']?{re.escape(name)}\b""", page) for name in names):
        raise LookupError(f"The template does not show the form {built.name!r}.")


def _with_notice(page: str, notice: str) -> str:
    for place in _PLACES:
        if found := place.search(page):
            return page[: found.end()] + notice + page[found.end() :]
    return notice + page


@cache
def _engine() -> Engine:
    # Our own: the host's may be what is broken.
    return Engine(dirs=[str(_TEMPLATES)], libraries={"i18n": "django.templatetags.i18n"})


def _stylesheet() -> str:
    try:
        return static(_STYLESHEET)
    except Exception:  # noqa: BLE001 - a manifest without it, a storage elsewhere: the page is plain then
        return ""
