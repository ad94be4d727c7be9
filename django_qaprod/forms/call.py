"""One request to a view that serves a form, when the view has failed: what is known, and what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.http import HttpRequest

from .. import context, registry
from ..degradation.savepoints import open_savepoints, release, roll_back
from ..pipeline import guard, process
from .outage import Refusal, is_outage, is_refusal

if TYPE_CHECKING:
    from django.db.transaction import Atomic

    from ..records import FailureRecord
    from ..text import JSONValue
    from .serving import Serving

T = TypeVar("T")

logger = logging.getLogger("qaprod.forms")

# What the log says by rung, and whether what was sent is lost. The failure's page has words of its own.
_TOLD: Final = {
    ("template", False): "was shown the form",
    ("plain", False): "was shown the form, on a plain page",
    ("unavailable", False): "was told that the page is unavailable",
    ("received", False): "was told that what was sent is kept",
    ("view", False): "got the view's answer",
    ("passed", False): "got Django's answer to an error that was let pass",
    ("template", True): "was shown the form again, what was sent is lost",
    ("plain", True): "was shown the form again, on a plain page, what was sent is lost",
    ("unavailable", True): "was told that the page is unavailable, what was sent is lost",
}


class Failed:
    """What ``Call.attempt`` returns where it would raise."""


FAILED: Final = Failed()


class Call:
    """A request, its view's arguments, and what ``serve_form`` was told, asked for this request.

    What fails on the way is noted, and recorded at the end: only then it is known what was served.
    """

    def __init__(
        self,
        serving: Serving,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        visitor: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.serving = serving
        self.options = serving.options
        self.name = serving.name
        self.request = request
        self.args = args
        self.kwargs = kwargs
        #: Who it was before the view, as ``quiet.visitor_of`` says.
        self.visitor = visitor
        #: Whether a database did not answer, so that none is asked any more.
        self.outage = False
        self.failures: list[tuple[str, Exception, FailureRecord | None]] = []
        self._refusal = Refusal()

    # What the host says; a class-based view says it by methods.

    def form_classes(self) -> Mapping[str, type[Any]]:
        """Return the form and formset classes by context name."""
        return self.options.forms

    def form_kwargs(self, name: str) -> tuple[dict[str, Any], bool]:
        """Return what a form is made with besides what was sent, and whether that is all of it."""
        made: dict[str, Any] = {}
        more = self._of("form_kwargs", name)
        initial, instance = self._of("initial", name), self._of("instance", name)
        if isinstance(more, Mapping):
            made.update(more)
        if initial is not None and initial is not FAILED:
            made["initial"] = initial
        if instance is not None and instance is not FAILED:
            made["instance"] = instance
        return made, FAILED not in (more, initial, instance)

    def context(self, forms: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the template gets besides the forms."""
        given = self.value("context")
        return dict(given) if isinstance(given, Mapping) else {}

    def templates(self) -> str | list[str]:
        """Return the host's template, nothing if there is none."""
        return self.options.template

    def title(self) -> str:
        """Return what the form is called: as the host says, else by its journey, else nothing."""
        given = self.value("title")
        said = "" if given is FAILED else self.attempt("title", lambda: str(given or ""))
        if isinstance(said, str) and said.strip():
            return said
        known = (spec.title for spec in registry.journeys() if spec.name == self.options.journey)
        return next(known, "")

    def value(self, option: str) -> Any:
        """Return an option's value for this request, ``FAILED`` if it cannot be had."""
        given = getattr(self.options, option)
        if not callable(given):
            return given
        return self.attempt(option, lambda: given(self.request, *self.args, **self.kwargs))

    def subject(self) -> str:
        """Return the key of whose journey it is, nothing if that cannot be told."""
        given = self.value("subject")
        if given is None or given is FAILED:
            current = context.current()
            return current.subject if current is not None else ""
        # Not at every start: a host may have no journeys.
        from ..journeys.keys import subject_key

        key = self.attempt("subject", lambda: subject_key(given))
        return key if isinstance(key, str) else ""

    def link(self) -> tuple[str, str]:
        """Return the id and the fingerprint of the record of what failed first."""
        from ..pipeline.failures import link_of

        return link_of(self.failures[0][1]) if self.failures else ("", "")

    def _of(self, option: str, name: str) -> Any:
        value = self.value(option)
        if len(self.options.forms) > 1 and isinstance(value, Mapping):
            return value.get(name)
        return value

    # What goes wrong

    def attempt(self, part: str, make: Callable[[], T]) -> T | Failed:
        """Return what is made; if that fails, take back its work, note it, and return ``FAILED``."""
        opened: list[Atomic] = []
        try:
            if not self.outage:
                open_savepoints(opened)
            value = make()
            release(opened)
        except Exception as error:  # noqa: BLE001 - the visitor is to be served all the same
            roll_back(opened, error)
            self.note(part, error)
            return FAILED
        finally:
            if opened:
                release(opened)
        return value

    def note(self, part: str, error: Exception) -> None:
        """Remember what failed. When it was a database that did not answer, none is asked from now on."""
        if not is_refusal(error) and not self._is_known(error):
            self.failures.append((part, error, _prepared(self, part, error)))
        if is_outage(error):
            self.outage = True
            self.refuse()

    @guard.guarded("forms.record")
    def _is_known(self, error: Exception) -> bool:
        """Whether it is a bug met again: a rung calls the same code of the host's as its view does."""
        from ..pipeline.frames import in_app

        path = in_app(error)
        alike = (known for _, known, _ in self.failures if type(known) is type(error))
        return bool(path) and any(in_app(known)[-len(path) :] == path for known in alike)

    def refuse(self) -> None:
        """Have every database refuse at once, if one did not answer."""
        if self.outage:
            self._refusal.refuse()

    def lift(self) -> None:
        """Let the databases answer again."""
        self._refusal.lift()

    def record(self, rung: str, *, served: bool, lost: bool = False) -> None:
        """Record what failed, now that it is known what was served, and whether what was sent is lost."""
        current = context.current()
        if current is not None and served:
            current.degraded += 1
        for part, error, prepared in self.failures:
            if prepared is not None:
                self._submit(prepared, error, rung, served=served, lost=lost)
            _log(self.name, part, _TOLD.get((rung, lost), rung), error)

    @guard.guarded("forms.record")
    def _submit(
        self, prepared: FailureRecord, error: Exception, rung: str, *, served: bool, lost: bool
    ) -> None:
        severity = prepared.severity
        extra: dict[str, JSONValue] = {**prepared.extra, "served": rung}
        if lost:
            extra["lost"] = True
            # With ``rescue=False`` the host has said that what is sent may be.
            severity = "critical" if self.options.rescue else severity
        process.submit_failure(replace(prepared, served=served, severity=severity, extra=extra), error)


def _prepared(call: Call, part: str, error: Exception) -> FailureRecord | None:
    with guard.guard("forms.record"):
        from ..pipeline.failures import prepare

        return prepare(
            error,
            # Whatever the visitor gets, which is not known yet: a fault that costs one of them what they had
            # typed is the same as serves another, and its kind is a part of its fingerprint.
            kind="degraded",
            severity=call.options.severity,
            name=call.name,
            journey=call.options.journey,
            extra={"rung": part},
        )
    return None


@guard.guarded("forms.record")
def _log(name: str, part: str, told: str, error: Exception) -> None:
    # After the report, which marks the error, so that this record of it is not taken for another one.
    logger.error("%s failed (%s); the visitor %s.", name, part, told, exc_info=error)
