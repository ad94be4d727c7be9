"""``serve_form``: whatever goes wrong in a view, its form is served and what was typed is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .. import registry
from ..degradation.declaration import refuse_generators, require_function
from ..degradation.degrading import add_note, name_of
from .answers import after_render, can_render, checked, late_middleware
from .call import Call
from .confirmed import KEPT, confirm
from .options import options_of
from .quiet import visitor_of
from .transactions import EveryAlias, Transactions, is_shared, of_posts

if TYPE_CHECKING:
    from .options import Forms, Options, ServeOptions
    from .resent import Again

P = ParamSpec("P")
R = TypeVar("R")
Handler = Callable[..., HttpResponseBase]
#: A class-based view has a kind of call of its own.
CallType = Callable[[Any, HttpRequest, tuple[Any, ...], Mapping[str, Any], Mapping[str, Any]], Call]

_READING = ("GET", "HEAD")
#: The mark of a request of which a view is being served.
_SERVED = "_qaprod_served"


def serve_form(form: Forms, /, **options: Unpack[Options]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Serve the form whatever goes wrong in its view, and keep what was sent.

    Always called, on function views, sync and async, below what controls access::

        @login_required
        @serve_form(ApplicationForm, template="jobs/apply.html", journey=JobApplication)
        def apply(request, vacancy_id): ...

    ``form`` is a form or formset class, or several by the names that the template knows them by. A GET whose
    view fails is served the highest of these that works: ``template`` with the form and a notice, a plain
    page of our own, a page that says so with status 503. A POST whose view fails leaves no trace in the
    database (``atomic``, not in async views); what was sent is kept, encrypted, and the visitor gets a 202,
    or ``thanks``; if the form is invalid, the form with its errors; if nothing can be kept, a 503 with what
    was typed. ``Http404``, ``PermissionDenied`` and what else tells Django what to answer passes, as do exits
    and cancellations; ``only`` and ``excluding`` say otherwise.

    ``initial``, ``instance``, ``form_kwargs``, ``context`` and ``subject`` are values, or functions that are
    called as the view is. For the other options see the documentation. ``reraise`` (default:
    ``QAPROD["RERAISE"]``, else in DEBUG and test runs) raises the error with a note instead.

    Raises ``DeclarationError`` for a use that cannot work.
    """
    checked = options_of(form, options)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        require_function(view, "@serve_form(…)", "let a class-based view inherit from ServeFormMixin")
        refuse_generators(view, "@serve_form(…)")
        is_async = iscoroutinefunction(view)
        serving = Serving(checked, checked.name or name_of(view), is_async=is_async)
        if is_async:
            return cast(
                "Callable[P, R]", _async_wrapper(cast("Callable[..., Awaitable[Any]]", view), serving)
            )
        return cast("Callable[P, R]", _wrapper(cast("Handler", view), serving))

    return decorate


def _wrapper(view: Handler, serving: Serving) -> Handler:
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return serving.serve(view, request, args, kwargs)

    serving.excluded.update(getattr(view, "_non_atomic_requests", ()))
    wrapper._non_atomic_requests = serving.excluded  # type: ignore[attr-defined]
    wrapper._qaprod_serves = serving.options  # type: ignore[attr-defined]
    return wrapper


def _async_wrapper(view: Callable[..., Awaitable[Any]], serving: Serving) -> Callable[..., Awaitable[Any]]:
    @wraps(view)
    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return await serving.aserve(view, request, args, kwargs)

    wrapper._qaprod_serves = serving.options  # type: ignore[attr-defined]
    return wrapper


class Serving:
    """How one view is served; the same for all its requests.

    ``excluded`` holds the aliases for which the host wants no transaction, whatever ``ATOMIC_REQUESTS`` says.
    """

    def __init__(self, options: ServeOptions, name: str, *, is_async: bool) -> None:
        self.options = options
        self.name = name
        self.excluded = EveryAlias()
        self.is_async = is_async
        if options.journey:
            registry.refer(options.journey, by=f"serve_form of {name}")

    @property
    def transactional(self) -> bool:
        """Whether a replay of the view takes effect together with its outcome."""
        return is_shared(self.options, is_async=self.is_async)

    def serve(
        self,
        view: Handler,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call_of: CallType = Call,
    ) -> HttpResponseBase:
        """Return the view's response, or what the ladder has instead.

        Of served views that call one another, the outermost is served: those within are plain views, whose
        errors go out to it. A ladder within would swallow what has to undo the work of all.
        """
        marks = vars(request)
        if _SERVED in marks:
            return view(request, *args, **kwargs)
        marks[_SERVED] = True
        try:
            return self._serve(view, request, args, kwargs, call_of)
        finally:
            marks.pop(_SERVED, None)

    async def aserve(
        self,
        view: Callable[..., Awaitable[Any]],
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call_of: CallType = Call,
    ) -> HttpResponseBase:
        """Do as ``serve`` does for an async view, whose work belongs to no transaction of ours."""
        marks = vars(request)
        if _SERVED in marks:
            return cast("HttpResponseBase", await view(request, *args, **kwargs))
        marks[_SERVED] = True
        try:
            return await self._aserve(view, request, args, kwargs, call_of)
        finally:
            marks.pop(_SERVED, None)

    def _serve(
        self,
        view: Handler,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call_of: CallType,
    ) -> HttpResponseBase:
        visitor = visitor_of(request)
        call = partial(call_of, self, request, args, kwargs, visitor)
        if request.method != "POST":
            return self._show(view, request, args, kwargs, call)
        if getattr(request, "qaprod_replay", None) is not None:
            from .replayed import serve

            return serve(self, view, request, args, kwargs, call)
        return self._take(view, request, args, kwargs, call, _again(request, visitor))

    def _show(
        self,
        view: Handler,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call: Callable[[], Call],
    ) -> HttpResponseBase:
        """Serve a GET or HEAD. Other methods are no business of ours but for the host's transactions."""
        reading = request.method in _READING
        work = Transactions()
        try:
            work.open(self.excluded.asked_for(), ())
            response = checked(view(request, *args, **kwargs), self.name)
            work.commit(strictly=False)
        except Exception as error:
            if not reading:
                work.roll_back(error)
                raise
            failed = self._failed(error, work, call)
            if failed is None:
                raise
            return _climb_down(call, failed, in_doubt="")
        finally:
            work.abandon()
        if work.hook_error is not None:
            self.note_callback(work.hook_error, call)
        if reading and can_render(response):
            self._guard_render(request, response, call, in_doubt="")
        return cast("HttpResponseBase", response)

    def _take(
        self,
        view: Handler,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call: Callable[[], Call],
        again: Again | None,
    ) -> HttpResponseBase:
        """Serve a POST; with ``again``, give up what was kept of it before if it is taken."""
        work = Transactions()
        try:
            work.open(self.excluded.asked_for(), of_posts() if self.options.atomic else ())
            response = checked(view(request, *args, **kwargs), self.name)
            if can_render(response) and not late_middleware():
                response = response.render()
            if again is not None:
                self._give_up(response, again)
            work.commit(strictly=True)
        except Exception as error:
            failed = self._failed(error, work, call)
            if failed is None:
                raise
            return _climb_down(call, failed, in_doubt=self._doubt(work))
        finally:
            work.abandon()
        if work.hook_error is not None:
            self.note_callback(work.hook_error, call)
        if can_render(response):
            self._guard_render(request, response, call, in_doubt="page")
        confirm(request, response)
        return cast("HttpResponseBase", response)

    async def _aserve(
        self,
        view: Callable[..., Awaitable[Any]],
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        call_of: CallType,
    ) -> HttpResponseBase:
        post, visitor = request.method == "POST", visitor_of(request)
        call = partial(call_of, self, request, args, kwargs, visitor)
        if post and getattr(request, "qaprod_replay", None) is not None:
            from .replayed import aserve

            return await aserve(self, view, request, args, kwargs, call)
        again, in_doubt = (_again(request, visitor), "untransacted") if post else (None, "")
        try:
            response = checked(await view(request, *args, **kwargs), self.name)
        except Exception as error:
            if (not post and request.method not in _READING) or not self._swallows(error):
                raise
            return await sync_to_async(_climb_down, thread_sensitive=True)(call, error, in_doubt=in_doubt)
        if again is not None:
            await sync_to_async(self._give_up, thread_sensitive=True)(response, again)
        if can_render(response) and (post or request.method in _READING):
            self._guard_render(request, response, call, in_doubt=in_doubt)
        if post:
            confirm(request, response)
        return cast("HttpResponseBase", response)

    def _failed(self, error: Exception, work: Transactions, call: Callable[[], Call]) -> Exception | None:
        """End the transactions as an error wants it; return what has failed, nothing if the error goes on."""
        if not self.options.swallows(error):
            try:
                work.let_pass(error)
            except Exception as refused:
                # What passes would have told that its work remains.
                work.roll_back(refused)
                if not self._swallows(refused):
                    raise
                return refused
            if work.hook_error is not None:
                self.note_callback(work.hook_error, call, passing=True)
            return None
        work.roll_back(error)
        return error if self._swallows(error) else None

    def _swallows(self, error: Exception) -> bool:
        """Whether the visitor is served the form; if only the developer gets to see it, say so."""
        if not self.options.swallows(error):
            return False
        if self.options.reraises:
            add_note(error, f"In production serve_form serves the form instead of this error ({self.name}).")
            return False
        return True

    def _give_up(self, response: HttpResponseBase, again: Again) -> None:
        again.give_up(response, name=self.name, journey=self.options.journey)

    def _doubt(self, work: Transactions) -> str:
        if work.in_doubt:
            return "commit"
        return "" if self.options.atomic else "untransacted"

    def note_callback(self, error: Exception, call: Callable[[], Call], *, passing: bool = False) -> None:
        """Record what an ``on_commit`` callback raised: the work is done, and the visitor gets the answer.

        ``passing``: the answer is Django's, to the view's own error, so that nobody was served the view.
        """
        if self.options.reraises:
            raise error
        made = call()
        made.note("on_commit", error)
        made.lift()
        made.record("passed" if passing else "view", served=not passing)

    def _guard_render(
        self, request: HttpRequest, response: Any, call: Callable[[], Call], *, in_doubt: str
    ) -> None:
        """Have a template that fails when Django renders it climb down, too."""

        def render() -> HttpResponseBase:
            # What is pickled into a cache must not know us.
            del response.render
            vars(request)[_SERVED] = True
            try:
                return cast("HttpResponseBase", response.render())
            except Exception as error:
                if not self._swallows(error):
                    raise
                return after_render(response, _climb_down(call, error, in_doubt=in_doubt))
            finally:
                vars(request).pop(_SERVED, None)

        response.render = render


def _climb_down(call: Callable[[], Call], error: Exception, *, in_doubt: str) -> HttpResponseBase:
    # Not at every start of the host.
    from .ladder import climb_down

    return climb_down(call(), error, in_doubt=in_doubt)


def _again(request: HttpRequest, given: Mapping[str, Any]) -> Again | None:
    if KEPT not in request.COOKIES:
        return None
    from .resent import again

    return again(request, given)
