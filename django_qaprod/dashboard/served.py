"""What of a served form's view failed and what the visitor got instead, in words.

``serve_form`` notes both as ``rung`` and ``served`` in what else is known of an occurrence, and ``lost``.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Occurrence

#: What ``visitor`` and ``part`` say in their own words.
TOLD = ("rung", "served", "lost")

_PARTS = {
    "view": gettext_lazy("the view"),
    "on_commit": gettext_lazy("what was to be done after the commit (on_commit)"),
    "rescue": gettext_lazy("keeping what was sent"),
    "form": gettext_lazy("making the form"),
    "field": gettext_lazy("a field of the form"),
    "validation": gettext_lazy("validating the form"),
    "template": gettext_lazy("the page with the form, by its own template"),
    "plain": gettext_lazy("the plain page with the form"),
    "thanks": gettext_lazy("the answer that says thanks"),
    "received": gettext_lazy("the page that says that it is kept"),
    "visitor": gettext_lazy("asking who the visitor is"),
    "session": gettext_lazy("reading the session"),
}
_ANSWERS = {
    ("template", False): gettext_lazy("was shown the form"),
    ("plain", False): gettext_lazy("was shown the form, on a plain page"),
    ("unavailable", False): gettext_lazy("was told that the page is unavailable"),
    ("received", False): gettext_lazy("was told that what was sent is kept"),
    ("view", False): gettext_lazy("got the view's answer"),
    ("passed", False): gettext_lazy("got the error page that the view wanted, as for a 403 or 404"),
    ("template", True): gettext_lazy("was shown the form again; what was sent is lost"),
    ("plain", True): gettext_lazy("was shown the form again, on a plain page; what was sent is lost"),
    ("unavailable", True): gettext_lazy("was told that the page is unavailable; what was sent is lost"),
}


def visitor(occurrence: Occurrence) -> str:
    """Return what the visitor got."""
    extra = _extra(occurrence)
    answer = _ANSWERS.get((str(extra.get("served", "")), bool(extra.get("lost"))))
    if answer is not None:
        return str(answer)
    return _("was served anyway") if occurrence.served else _("was not served")


def part(occurrence: Occurrence) -> str:
    """Return what failed of a served form's view, nothing where it was none."""
    rung = str(_extra(occurrence).get("rung", ""))
    return str(_PARTS.get(rung, rung))


def _extra(occurrence: Occurrence) -> Mapping[str, object]:
    return occurrence.extra if isinstance(occurrence.extra, dict) else {}
