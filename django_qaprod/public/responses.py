"""What all pages without a login have in common: who may ask how, what is answered with, and no more.

They touch neither session nor cookies nor ``request.user``, and are rendered by an engine of our own, without
the host's context processors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template import Context, Engine
from django.templatetags.static import static
from django.utils.translation import get_language, get_language_bidi
from django.views.decorators.csrf import csrf_exempt

from ..forms.transactions import EveryAlias

View = Callable[..., HttpResponse]

_TEMPLATES = Path(__file__).parent.parent / "templates"
_STYLESHEETS = ("qaprod/forms.css", "qaprod/public.css")


def without_login(*methods: str) -> Callable[[View], View]:
    """Make a view public: for these methods alone, stored nowhere, indexed nowhere, framed by nobody.

    It stands outside the CSRF check, which needs a cookie. So a view may change something only for who knows
    a secret that is in the address: a page elsewhere that could have it posted could post it itself.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method in methods:
                response = view(request, *args, **kwargs)
            else:
                response = HttpResponseNotAllowed(methods)
            return _closed(response)

        # As ``login_not_required`` does, which cannot be imported where there is no ``django.contrib.auth``.
        wrapper.login_required = False  # type: ignore[attr-defined]
        # With ``ATOMIC_REQUESTS`` Django would open a transaction first, and a dead database be a 500.
        wrapper._non_atomic_requests = EveryAlias()  # type: ignore[attr-defined]
        return csrf_exempt(wrapper)

    return decorate


def page(template: str, values: Mapping[str, Any], status: int = 200) -> HttpResponse:
    """Return one of our public pages."""
    surroundings = {
        "language": get_language() or django_settings.LANGUAGE_CODE,
        "direction": "rtl" if get_language_bidi() else "ltr",
        "stylesheets": [found for path in _STYLESHEETS if (found := _static(path))],
    }
    chosen = _engine().get_template(f"qaprod/public/{template}")
    return HttpResponse(chosen.render(Context({**surroundings, **values})), status=status)


def _closed(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Frame-Options"] = "DENY"
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {_style_source()}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    # Or Django logs each answer of 503 as an error, which its own handler mails to the admins: once a minute,
    # by the monitor that tells them already.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _style_source() -> str:
    """Return where stylesheets come from: this site, or the one that ``STATIC_URL`` names."""
    found = urlsplit(_static(_STYLESHEETS[0]))
    return f"{found.scheme or 'https'}://{found.netloc}" if found.netloc else "'self'"


@cache
def _engine() -> Engine:
    return Engine(dirs=[str(_TEMPLATES)], libraries={"i18n": "django.templatetags.i18n"})


def _static(path: str) -> str:
    try:
        return static(path)
    except Exception:  # noqa: BLE001 - a manifest without it, a storage elsewhere: the page is plain then
        return ""
