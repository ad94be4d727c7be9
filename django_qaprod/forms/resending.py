"""Makes the request anew that a kept submission was: as a server would have received it.

What was sent is hostile, names of fields and files most of all: none of it gets out of its header.
"""

from __future__ import annotations

import os
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..sent import SentFile, Submission

# https://www.rfc-editor.org/rfc/rfc7230#section-3.2.6: a token, and what may stand in quotes as it is.
_CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
_PLAIN: Final = re.compile(r"[\w.\[\]:@+-]+", re.ASCII)
_SEPARATORS: Final = re.compile(r"[/\\]")
_TOKEN: Final = "csrfmiddlewaretoken"  # noqa: S105 - the name of an input
_NO_NAMES: Final = frozenset({"", ".", ".."})


def environ(submission: Submission, request_id: str) -> dict[str, Any]:
    """Return the WSGI environment of the request."""
    path, _, query = submission.path.partition("?")
    boundary = os.urandom(16).hex()
    body = multipart(submission, boundary)
    name, port = _name_and_port(submission.host)
    made: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": _wsgi(submission.script),
        "PATH_INFO": _path_info(path, submission.script),
        "QUERY_STRING": query,
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port or ("443" if submission.secure else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": f"multipart/form-data; boundary={boundary}",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_REQUEST_ID": request_id,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if submission.secure else "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if submission.host:
        made["HTTP_HOST"] = submission.host
    if submission.locale:
        made["HTTP_ACCEPT_LANGUAGE"] = submission.locale
        made["HTTP_COOKIE"] = f"{django_settings.LANGUAGE_COOKIE_NAME}={quote(submission.locale)}"
    return made


def request_of(made: dict[str, Any]) -> WSGIRequest:
    """Return the request of an environment; it needs no CSRF token, which has been checked the first time."""
    request = WSGIRequest(made)
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return request


def multipart(submission: Submission, boundary: str) -> bytes:
    """Return the body.

    Always of this type: fields that are not ASCII are no longer in it than they were, so that what was within
    ``DATA_UPLOAD_MAX_MEMORY_SIZE`` is again.
    """
    edge = f"--{boundary}".encode()
    # A view may ask by that whether it is a POST: ``Form(request.POST or None)``.
    fields = submission.fields or ((_TOKEN, ""),)
    parts = [*(_field(name, value) for name, value in fields), *_files(submission.files)]
    return b"".join([*(edge + b"\r\n" + part + b"\r\n" for part in parts), edge, b"--\r\n"])


def _field(name: str, value: str) -> bytes:
    return f"Content-Disposition: form-data; {_parameter('name', name)}\r\n\r\n".encode() + _utf8(value)


def _files(files: Iterable[SentFile]) -> Iterable[bytes]:
    for one in files:
        head = f"Content-Disposition: form-data; {_parameter('name', one.field)}; {_file_name(one.name)}\r\n"
        if _CONTENT_TYPE.fullmatch(one.content_type):
            head += f"Content-Type: {one.content_type}\r\n"
        yield _utf8(f"{head}\r\n") + one.content


def _parameter(key: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f'{key}="{value}"'
    # https://www.rfc-editor.org/rfc/rfc2231#section-4
    return f"{key}*=utf-8''{quote(value, safe='', errors='replace')}"


def _file_name(name: str) -> str:
    # As browsers write it: a long one in percent escapes would be longer than a header may be for Django.
    # A file whose name has nothing left when Django has cleaned it would be dropped.
    printable = "".join(char for char in _SEPARATORS.split(name)[-1] if char.isprintable())
    if printable in _NO_NAMES:
        printable = "file"
    # Django takes out entities once more.
    escaped = printable.replace("&", "&amp;").replace('"', '\\"')
    return f'filename="{escaped}"'


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _path_info(path: str, script: str) -> str:
    whole = unquote_to_bytes(path)
    prefix = script.rstrip("/").encode()
    return whole.removeprefix(prefix).decode("latin-1") if prefix else whole.decode("latin-1")


def _wsgi(text: str) -> str:
    # https://peps.python.org/pep-3333/#unicode-issues
    return _utf8(text).decode("latin-1")


def _name_and_port(host: str) -> tuple[str, str]:
    name, _, port = host.rpartition(":")
    return (name, port) if port.isdigit() else (host, "")
