"""``serve_form`` for class-based views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View
from django.views.generic.edit import BaseCreateView, BaseUpdateView

from ..exceptions import DeclarationError
from .call import Call, Failed
from .options import Options, options_of
from .serving import Serving

_METHODS = ("get", "head", "post")
#: The mark of a handler with the ladder under it.
_SERVES = "_qaprod_handler"


class ServeFormMixin(View):
    """Serve the form whatever goes wrong in a ``FormView``, ``CreateView`` or ``UpdateView``.

    Put it before Django's view and behind what controls access::

        class Apply(LoginRequiredMixin, ServeFormMixin, CreateView): ...

    ``serve`` holds the options of ``serve_form``, and as ``form`` its first argument where the view has no
    ``get_form_class``. Covered are ``get``, ``head`` and ``post``; ``setup`` and ``dispatch`` stand outside.
    What is not in ``serve`` is asked of the view: the form's class and arguments, the object, the template
    and its context.
    """

    serve: ClassVar[Mapping[str, Any]] = {}
    #: Given by ``as_view``.
    serving: Serving | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        given = dict(initkwargs.get("serve", cls.serve))
        options = options_of(given.pop("form", None), cast("Options", given))
        told = cls.get_served_forms is not ServeFormMixin.get_served_forms
        if not options.forms and not told and not hasattr(cls, "get_form_class"):
            raise DeclarationError(f"{cls.__qualname__} has no get_form_class: name its form in `serve`.")
        for method in _METHODS:
            if isinstance(getattr(cls, method, None), property):
                raise DeclarationError(f"{cls.__qualname__}.{method} is a property: write a method instead.")
        name = options.name or f"{cls.__module__}.{cls.__qualname__}"
        serving = Serving(options, name, is_async=bool(cls.view_is_async))
        view: Any = super().as_view(**initkwargs, serving=serving)
        view._qaprod_serves = options
        if not cls.view_is_async:
            serving.excluded.update(getattr(view, "_non_atomic_requests", ()))
            view._non_atomic_requests = serving.excluded
        return cast("Callable[..., HttpResponseBase]", view)

    def get_served_forms(self) -> Mapping[str, type[Any]]:
        """Return the form and formset classes to serve, by the names that the template knows them by.

        Override it where ``get_form_class`` does not tell, in a wizard for instance.
        """
        return {"form": cast("Any", self).get_form_class()}

    def get_served_kwargs(self, name: str) -> dict[str, Any]:
        """Return what the form of that name is made with, besides what was sent."""
        made: dict[str, Any] = cast("Any", self).get_form_kwargs() if hasattr(self, "get_form_kwargs") else {}
        return {key: made[key] for key in made if key not in ("data", "files")}

    def __init__(self, **kwargs: Any) -> None:
        """Put the ladder under the handlers, those of the most derived class.

        Not in ``setup`` alone: one that does not call its parent's would leave a view without a transaction.
        """
        super().__init__(**kwargs)
        self._serve_handlers()

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Put the ladder under the handlers that are there only now."""
        super().setup(request, *args, **kwargs)
        self._serve_handlers()

    def _serve_handlers(self) -> None:
        if self.serving is None:
            return
        for method in _METHODS:
            handler = getattr(self, method, None)
            if handler is not None and not hasattr(handler, _SERVES):
                setattr(self, method, self._served(handler, self.serving))

    def _served(self, handler: Callable[..., Any], serving: Serving) -> Callable[..., Any]:
        calls = partial(ViewCall, self)

        def served(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return serving.serve(handler, request, args, kwargs, calls)

        async def aserved(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return await serving.aserve(handler, request, args, kwargs, calls)

        made = aserved if iscoroutinefunction(handler) else served
        setattr(made, _SERVES, True)
        return made


class ViewCall(Call):
    """A call of a class-based view: what its options do not say, its methods do."""

    def __init__(self, view: View, *given: Any) -> None:
        super().__init__(*given)
        self.view: Any = view

    def form_classes(self) -> Mapping[str, type[Any]]:
        return self.options.forms or self.view.get_served_forms()

    def form_kwargs(self, name: str) -> tuple[dict[str, Any], bool]:
        said, complete = super().form_kwargs(name)
        if isinstance(self.view, (BaseCreateView, BaseUpdateView)):
            complete = self._find_object() and complete
        made = self.attempt("form_kwargs", lambda: self.view.get_served_kwargs(name))
        if not isinstance(made, dict):
            return {**self._pieces(), **said}, False
        return {**made, **said}, complete

    def context(self, forms: Mapping[str, Any]) -> dict[str, Any]:
        least = {"view": self.view, **super().context(forms)}
        if not hasattr(self.view, "get_context_data"):
            return least
        made = self.attempt("context", lambda: self.view.get_context_data(**forms))
        return {**made, **least} if isinstance(made, dict) else least

    def templates(self) -> str | list[str]:
        if self.options.template or not hasattr(self.view, "get_template_names"):
            return self.options.template
        names = self.attempt("template", self.view.get_template_names)
        return [] if isinstance(names, Failed) else names

    def _find_object(self) -> bool:
        """Set ``object`` as it was before the view, whose work is undone; return whether that can be."""
        found = None
        if isinstance(self.view, BaseUpdateView):
            found = self.attempt("instance", self.view.get_object)
        self.view.object = None if isinstance(found, Failed) else found
        return not isinstance(found, Failed)

    def _pieces(self) -> dict[str, Any]:
        made = {}
        for option in ("initial", "prefix"):
            value = self.attempt(option, getattr(self.view, f"get_{option}", lambda: None))
            if value is not None and not isinstance(value, Failed):
                made[option] = value
        return made
