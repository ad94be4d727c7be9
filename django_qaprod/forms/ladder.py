"""The ladder: what a visitor is served when the view has failed. The highest rung that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from ..exceptions import CannotKeepError
from ..pipeline import guard
from . import pages
from .building import Built, build, is_only_taken, judge
from .call import Call, Failed
from .confirmed import forget_draft, mark_instead
from .notices import Notice
from .quiet import hush, seal
from .resent import remember

if TYPE_CHECKING:
    from .rescue import Kept

#: Seconds after which the visitor may try again.
RETRY_AFTER = 60

_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def climb_down(call: Call, error: Exception, *, rung: str = "view", in_doubt: str = "") -> HttpResponseBase:
    """Return what the visitor is served instead of the error. Never raises an ``Exception``."""
    hush(call.request, call.visitor)
    try:
        # Before anything touches POST, which would look empty from then on.
        readable = call.request.method != "POST" or _can_be_read(call)
        call.note(rung, error)
        if call.request.method == "POST":
            served, response = _answer_post(call, in_doubt, readable=readable)
        else:
            served, response = _form_page(call, build(call, bound=False), Notice.MISSING, 200)
    except Exception as bug:  # noqa: BLE001 - even an error of our own must not cost the visitor more than this
        guard.caught("forms", bug)
        served, response = "unavailable", pages.last_resort()
    finally:
        call.lift()
    mark_instead(response)
    seal(call.request)
    failed = response.status_code >= 500
    call.record(
        served, served=not failed, lost=failed and call.request.method == "POST" and served != "received"
    )
    if failed:
        response["Retry-After"] = str(RETRY_AFTER)
        # Django would report the status as an error of its own; ours has been recorded with its reason.
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _answer_post(call: Call, in_doubt: str, *, readable: bool) -> tuple[str, HttpResponseBase]:
    built = build(call, bound=readable)
    # Work that may have been done is what a value that must be unique would clash with.
    if readable and judge(call, built) is False and not (in_doubt and is_only_taken(built)):
        return _form_page(call, built, Notice.ERRORS, 200)
    kept = _keep(call, built, in_doubt) if readable else None
    if kept is not None:
        response = _thanks(call, kept)
        forget_draft(call.request, response)
        remember(call.request, response, kept)
        return "received", response
    return _form_page(call, built, Notice.NOT_KEPT if readable else Notice.NOT_READ, 503)


def _can_be_read(call: Call) -> bool:
    """Whether the POST still tells what was sent: no view has read it as a stream, and it is a form."""
    request = call.request
    taken = request._read_started and not hasattr(request, "_body") and not hasattr(request, "_post")  # type: ignore[attr-defined]
    return not taken and request.content_type in _FORM_TYPES


def _keep(call: Call, built: list[Built], in_doubt: str) -> Kept | None:
    if not call.options.rescue:
        return None
    _look_up(call)
    subject = call.subject()
    kept = call.attempt("rescue", lambda: _kept(call, built, in_doubt, subject))
    return None if isinstance(kept, Failed) else kept


def _kept(call: Call, built: list[Built], in_doubt: str, subject: str) -> Kept:
    from .privacy import names_of
    from .rescue import keep
    from .submission import collect

    if not built or len(built) < len(call.form_classes()):
        raise CannotKeepError("A form could not be built, so nobody can tell what may be kept.")
    names = [name for one in built for name in names_of(one.form, private=call.options.private)]
    submission = collect(call.request, call.options, names, database=not call.outage)
    occurrence, failure = call.link()
    return keep(
        call.request,
        submission,
        options=call.options,
        name=call.name,
        subject=subject,
        failure=failure,
        occurrence=occurrence,
        in_doubt=in_doubt,
        transactional=call.serving.transactional,
        database=not call.outage,
    )


def _look_up(call: Call) -> None:
    """Ask who the visitor is here, where a database that does not answer is noticed and not asked again."""
    request = call.request
    if not call.outage and "user" in vars(request):
        call.attempt("visitor", lambda: request.user.pk)
    if not call.outage and call.options.session and hasattr(request, "session"):
        call.attempt("session", request.session.items)


def _thanks(call: Call, kept: Kept) -> HttpResponseBase:
    if call.options.thanks:
        response = call.attempt("thanks", lambda: pages.thanks(call, kept))
        if isinstance(response, HttpResponseBase):
            return response
    page = call.attempt("received", lambda: pages.received(call, kept.reference))
    return page if isinstance(page, HttpResponse) else pages.last_resort(reference=kept.reference)


def _form_page(call: Call, built: list[Built], notice: Notice, status: int) -> tuple[str, HttpResponseBase]:
    rungs: list[tuple[str, Callable[[], HttpResponse]]] = []
    if built and all(one.whole for one in built) and call.templates():
        rungs.append(("template", lambda: pages.of_host(call, built, notice, status)))
    if built:
        rungs.append(("plain", lambda: pages.plain(call, built, notice, status)))
    for rung, make in rungs:
        if rung == "template" and call.outage:
            continue
        response = call.attempt(rung, make)
        if not isinstance(response, Failed):
            return rung, response
    page = call.attempt("unavailable", lambda: pages.unavailable(call))
    return "unavailable", page if isinstance(page, HttpResponse) else pages.last_resort()
