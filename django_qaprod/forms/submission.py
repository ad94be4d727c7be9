"""What a visitor sent, taken from the request as far as it may be kept."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from django.conf import settings as django_settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.translation import get_language

from ..browser import family
from ..conf import settings
from ..exceptions import CannotKeepError
from ..pipeline import guard, identity, scrub
from ..sent import SESSION as SESSION
from ..sent import SentFile, Submission
from ..text import JSONValue
from .building import free_text
from .privacy import FieldName

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from .options import ServeOptions

Upload: TypeAlias = "UploadedFile[Any]"

# Within an international phone number there are at most so many digits (ITU-T E.164).
_PHONE_DIGITS = 15
# A lone button may send nothing at all.
_EMPTY = (None, "", "0")
# What a widget may add to the name of its field: the parts of a split one, the box that clears a file.
_PARTS = re.compile(r"_|-clear$")
_INITIAL = "initial-"
# The forms of a formset differ in their numbers alone, and the visitor's page may have added some.
_NUMBER = re.compile(r"(?<=-)(?:\d+|__prefix__)(?=-)")
_ALL = "__ALL__"
_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def collect(
    request: HttpRequest, options: ServeOptions, names: Iterable[FieldName], *, database: bool = True
) -> Submission:
    """Return what was sent, without what is never stored.

    Without ``database`` nobody looks up who the visitor is.

    Raises ``CannotKeepError`` when it could not be read, is too large, or lacks a required field that must
    not be stored.
    """
    known = list(names)
    fields, withheld = Fields(known, options.keys), Withheld()
    sensitive = getattr(request, "sensitive_post_parameters", ())
    pairs, uploads = _sent(request)
    free = frozenset(free_text(request))
    kept = list(_pairs(pairs, fields, sensitive, withheld))
    files = list(_files(uploads, fields, sensitive, withheld))
    user, user_unknown = _visitor(request, database=database)
    session = _session(request, options.session, withheld)
    size = sum(len(name) + len(value.encode(errors="replace")) for name, value in kept)
    return Submission(
        path=_path(request, withheld),
        script=str(request.META.get("SCRIPT_NAME", "")),
        host=_host(request),
        secure=request.is_secure(),
        locale=get_language() or "",
        user=user,
        user_unknown=user_unknown,
        fields=tuple(kept),
        files=tuple(_read(files, size)),
        session=session,
        free_text=tuple(name.html_name for name in known if name.html_name in free),
        withheld=withheld.names(),
        browser=family(request.META.get("HTTP_USER_AGENT", "")),
    )


class Withheld:
    """The names of what was not kept, or not as it was."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Say that something of this name was not kept, or not as it was."""
        self._names[name] = None

    def names(self) -> tuple[str, ...]:
        """Return all of them, in the order in which they were found."""
        return tuple(self._names)


class Fields:
    """The fields of the forms, found by the keys of a request: the longest name that fits is the field's.

    ``keys`` are names besides, of what is no field.
    """

    def __init__(self, names: Iterable[FieldName], keys: Iterable[str] = ()) -> None:
        self._besides = {key: FieldName(html_name=key) for key in keys}
        self._by_name: dict[str, FieldName] = {}
        for name in names:
            general = canonical(name.html_name)
            known = self._by_name.get(general)
            # Of two that differ in their numbers, the one that hides more is believed.
            if known is None or (name.private and not known.private):
                self._by_name[general] = name
        self._longest = max(map(len, self._by_name), default=0)

    def of(self, key: str) -> FieldName | None:
        """Return whose key it is, or nothing."""
        return self._field_of(key) or self._besides.get(key)

    def _field_of(self, key: str) -> FieldName | None:
        key = canonical(key.removeprefix(_INITIAL))
        exact = self._by_name.get(key)
        if exact is not None:
            return exact
        # No further than the longest name: a key may be a megabyte of underscores.
        cuts = [cut.start() for cut in _PARTS.finditer(key, 1, self._longest + 1 + len("-clear"))]
        return next((self._by_name[key[:cut]] for cut in reversed(cuts) if key[:cut] in self._by_name), None)


def canonical(name: str) -> str:
    """Return a name such that it is the same for all the forms of a formset."""
    return _NUMBER.sub("__prefix__", name)


def _sent(request: HttpRequest) -> tuple[list[tuple[str, str]], list[tuple[str, Upload]]]:
    post = files = None
    with guard.guard("rescue.read"):
        post, files = request.POST, request.FILES
    # Django has nothing, too, after it could not parse the body the first time.
    lost = not (post or files) and request.META.get("CONTENT_LENGTH") not in _EMPTY
    if post is None or files is None or lost:
        raise CannotKeepError("What was sent could not be read, or is no form.")
    pairs = [(key, str(value)) for key, values in post.lists() for value in values]
    return pairs, [(key, upload) for key, uploads in files.lists() for upload in uploads]


def _pairs(
    pairs: Collection[tuple[str, str]], fields: Fields, sensitive: Any, withheld: Withheld
) -> Iterator[tuple[str, str]]:
    whole = {key for key, _ in pairs}
    for key, value in pairs:
        field = fields.of(key)
        if field is None:
            continue
        if not value:
            yield key, value
        elif _is_private(key, field, sensitive):
            _withhold(key, field, withheld)
        elif _is_secret_part(key, field):
            if field.html_name in whole:
                # No part of a split widget, but what somebody has added.
                withheld.add(key)
            else:
                _withhold(key, field, withheld)
        else:
            masked = without_cards(value, phone=field.phone)
            if masked.strip() == scrub.CARD:
                _withhold(key, field, withheld)
                continue
            if masked != value:
                withheld.add(key)
            yield key, masked


def _is_private(key: str, field: FieldName, sensitive: Any) -> bool:
    return field.private or sensitive == _ALL or key in sensitive or field.html_name in sensitive


def _is_secret_part(key: str, field: FieldName) -> bool:
    """Whether what a widget calls a part of a field sounds more secret than the field."""
    part = canonical(key.removeprefix(_INITIAL))[len(canonical(field.html_name)) :]
    return bool(part) and scrub.is_secret_key(part)


def _withhold(key: str, field: FieldName, withheld: Withheld) -> None:
    if field.required:
        raise CannotKeepError(
            f"The field {field.html_name!r} is required, and what it holds is never stored."
        )
    withheld.add(key)


def without_cards(value: str, *, phone: bool = False) -> str:
    """Return the text with each card number masked, as the scrubber knows one; a phone number is none."""
    kept, begin = [], 0
    for start, end in scrub.cards(value):
        digits = sum(char.isdigit() for char in value[start:end])
        if digits <= _PHONE_DIGITS and (phone or value[max(start - 1, 0) : start] == "+"):
            continue
        kept += [value[begin:start], scrub.CARD]
        begin = end
    return "".join((*kept, value[begin:]))


def _files(
    uploads: Iterable[tuple[str, Upload]], fields: Fields, sensitive: Any, withheld: Withheld
) -> Iterator[tuple[str, Upload]]:
    for key, upload in uploads:
        field = fields.of(key)
        if field is None:
            continue
        if _is_private(key, field, sensitive):
            _withhold(key, field, withheld)
        else:
            yield key, upload


def _read(uploads: Iterable[tuple[str, Upload]], size: int) -> Iterator[SentFile]:
    most = settings().rescue_max_bytes
    if size > most:
        raise CannotKeepError("What was sent is larger than QAPROD['RESCUE_MAX_BYTES'].")
    for key, upload in uploads:
        size += upload.size or 0
        if size > most:
            raise CannotKeepError("What was sent, files included, is larger than QAPROD['RESCUE_MAX_BYTES'].")
        yield SentFile(
            field=key,
            name=upload.name or "",
            content_type=upload.content_type or "",
            content=_content(upload),
        )


def _content(upload: Upload) -> bytes:
    try:
        upload.seek(0)
        content = upload.read()
    except (OSError, ValueError) as error:
        # The view has closed or moved it.
        raise CannotKeepError("A file could not be read once more.") from error
    if len(content) != upload.size:
        raise CannotKeepError("A file could not be read whole once more.")
    return bytes(content)


def _path(request: HttpRequest, withheld: Withheld) -> str:
    query = request.META.get("QUERY_STRING", "")
    if not query:
        return request.get_full_path()
    pairs, kept = parse_qsl(query, keep_blank_values=True), []
    for key, value in pairs:
        if scrub.is_secret_key(key) or without_cards(value) != value:
            withheld.add(f"?{key}")
        else:
            kept.append((key, value))
    if len(kept) == len(pairs):
        return request.get_full_path()
    path = request.get_full_path().partition("?")[0]
    return f"{path}?{urlencode(kept)}" if kept else path


def _host(request: HttpRequest) -> str:
    try:
        return request.get_host()
    except DisallowedHost:
        return ""


def _visitor(request: HttpRequest, *, database: bool) -> tuple[str, bool]:
    """Return the user's primary key, and whether there is one that cannot be established."""
    known = identity.known(vars(request))
    if known:
        return known, False
    has_session = _names_session(request)
    if "user" not in request.__dict__:
        # What fails before the view may fail before anybody looks who is asking.
        return "", has_session and _AUTHENTICATION in django_settings.MIDDLEWARE
    if not database:
        return "", known is None and has_session
    with guard.guard("identity"):
        # The view may have failed before it asked; a replay by nobody would be another effect.
        key = request.user.pk
        return "" if key is None else str(key), False
    return "", True


def _session(request: HttpRequest, keys: Iterable[str], withheld: Withheld) -> dict[str, JSONValue]:
    if keys and hasattr(request, "session"):
        with guard.guard("session"):
            # What a failed view has changed in it is not meant.
            stored = request.session.load() if request.session.modified else dict(request.session.items())
            return of_session(stored, keys, withheld)
    elif not _names_session(request):
        return {}
    for key in keys:
        withheld.add(f"{SESSION}{key}")
    return {}


def of_session(stored: Mapping[str, Any], keys: Iterable[str], withheld: Withheld) -> dict[str, JSONValue]:
    """Return these keys of a session, as far as it has them and they are JSON."""
    kept: dict[str, JSONValue] = {}
    for key in keys:
        if key not in stored:
            continue
        with guard.guard("session"):
            kept[key] = json.loads(json.dumps(stored[key]))
        if key not in kept:
            withheld.add(f"{SESSION}{key}")
    return kept


def _names_session(request: HttpRequest) -> bool:
    return django_settings.SESSION_COOKIE_NAME in request.COOKIES
