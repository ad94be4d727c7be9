"""Whose application it is: the session's that began it, or the teacher's who was logged in."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from .models import Application

_KEY = "applications"
_KEPT = 20
#: What a submission needs of the session to be let in again when it is replayed.
SESSION = (_KEY,)


def remember(request: HttpRequest, application: Application) -> None:
    """Let this session go on with an application."""
    known = request.session.get(_KEY, [])
    request.session[_KEY] = [*known, str(application.token)][-_KEPT:]


def own_application(request: HttpRequest, token: str, *, lock: bool = False) -> Application:
    """Return an application of this visitor; ``lock`` keeps others from changing it until the commit."""
    found = Application.objects.select_related("vacancy__school", "teacher").filter(token=token)
    if lock:
        found = found.select_for_update(of=("self",))
    application = found.first()
    if application is None or not _owns(request, application):
        raise Http404(token)
    return application


def _owns(request: HttpRequest, application: Application) -> bool:
    if request.user.is_authenticated and application.teacher_id == request.user.pk:
        return True
    return str(application.token) in request.session.get(_KEY, [])
