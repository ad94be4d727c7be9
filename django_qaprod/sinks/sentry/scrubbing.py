"""The scrubber for a whole event, whoever has made it: ``before_send=scrub_event``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

SCRUBBED: Final = "[scrubbed]"

#: Characters that are kept of one text.
_MAX_TEXT: Final = 8_000
_MAX_DEPTH: Final = 40

# What says which code ran and how the event was made: nothing of a visitor's is in it, and what looks like
# a secret there (a commit, the package "pyjwt") is none.
_LEFT: Final = frozenset(
    {
        "_meta", "debug_meta", "dist", "environment", "event_id", "level", "modules", "platform", "release",
        "sdk", "server_name", "start_timestamp", "timestamp", "transaction_info", "type",
    }
)  # fmt: skip
_LEFT_OF_FRAMES: Final = frozenset({"abs_path", "filename", "function", "in_app", "lineno", "module"})
_SOURCE: Final = frozenset({"context_line", "post_context", "pre_context"})
# Headers that are kept. Any other may hold what nobody else should know.
_HEADERS: Final = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "content-length", "content-type", "host",
        "user-agent", "x-request-id",
    }
)  # fmt: skip
# Query strings, addresses of visitors, arguments of commands and tasks.
_NEVER: Final = frozenset(
    {
        "celery-job", "client.address", "client_ip", "http.client_ip", "http.fragment", "http.query", "ip",
        "ip_address", "net.peer.ip", "network.peer.address", "query_string", "remote_addr", "sys.argv",
        "url.fragment", "url.query", "user.ip_address",
    }
)  # fmt: skip


def scrub_event(event: Event, hint: Hint) -> Event | None:
    """Return an event without secrets and without what tells who somebody is, for ``sentry_sdk.init()``.

    For ``before_send`` and ``before_send_transaction``. Cookies, query strings, addresses, most headers and
    all of the user but the id are taken out, the path of the request is replaced by its route, and every
    other text passes the scrubber, by the key that it stands under and by what it looks like: bodies, local
    variables, breadcrumbs. What a visitor has typed as free text looks like nothing; leave bodies and local
    variables out (``max_request_body_size="never"``, ``include_local_variables=False``).

    ``None``, so that nothing is sent, for an event that cannot be scrubbed.
    """
    # Not when it is imported: by settings that are being read.
    from ...pipeline import guard

    with guard.guard("sentry.scrub"):
        return cast("Event", _scrubbed(event))
    return None


def _scrubbed(event: Any) -> dict[str, Any]:
    walk = _Walk(event)
    scrubbed = {
        key: value if key in _LEFT else walk.value(value, key)
        for key, value in event.items()
        if key not in {"user", "request"}
    }
    if isinstance(request := event.get("request"), dict):
        scrubbed["request"] = walk.request(request)
    if user := _user(event.get("user")):
        scrubbed["user"] = user
    if isinstance(entry := scrubbed.get("logentry"), dict):
        # They have lost the words before them, by which they could have been recognised.
        entry.pop("params", None)
    return scrubbed


class _Walk:
    """One event's way through the scrubber. The path of its request is replaced wherever it stands."""

    def __init__(self, event: Any) -> None:
        from ... import context
        from ...pipeline import messages, scrub

        self._scrub = scrub
        self._without_path = messages.without_path
        current = context.current()
        if current is not None and current.request is not None:
            self._path, self._route = current.request.path, current.route
        else:
            self._path, self._route = _path_of(event), _route_of(event)

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what may be sent of a request: the route instead of the path."""
        scrubbed = {key: self.value(one, key) for key, one in request.items() if key != "url"}
        url = _split(request.get("url"))
        if url is not None:
            scrubbed["url"] = f"{url.scheme}://{url.netloc.rpartition('@')[2]}/{self._route.lstrip('/')}"
        return scrubbed

    def value(self, value: Any, key: str = "", depth: int = _MAX_DEPTH) -> Any:
        """Return what may be sent of a value that stands under a key."""
        if value is None or isinstance(value, bool) or value == "":
            return value
        if not depth or key.lower() in _NEVER or self._scrub.is_secret_key(key):
            return SCRUBBED
        if isinstance(value, dict):
            return self._dict(value, key.lower(), depth - 1)
        if isinstance(value, (list, tuple)):
            return self._list(value, depth - 1)
        return self._text(value) if isinstance(value, str) else self._scrub.json(value)

    def _dict(self, value: dict[Any, Any], key: str, depth: int) -> dict[str, Any]:
        if key == "headers":
            return {
                str(name): self._text(str(one)) if str(name).lower() in _HEADERS else SCRUBBED
                for name, one in value.items()
            }
        if key == "stacktrace" and isinstance(frames := value.get("frames"), list):
            return {"frames": [self._frame(frame, depth) for frame in frames]}
        return {self._text(str(name)): self.value(one, str(name), depth) for name, one in value.items()}

    def _list(self, value: Any, depth: int) -> list[Any]:
        if len(value) == 2 and isinstance(value[0], str):
            # Perhaps a key and a value.
            return [self._text(value[0]), self.value(value[1], value[0], depth)]
        return [self.value(one, depth=depth) for one in value]

    def _frame(self, frame: Any, depth: int) -> Any:
        if not isinstance(frame, dict):
            return self.value(frame, depth=depth)
        return {
            name: one
            if name in _LEFT_OF_FRAMES
            else self._source(one)
            if name in _SOURCE
            else self.value(one, name, depth)
            for name, one in frame.items()
        }

    def _source(self, lines: Any) -> Any:
        if isinstance(lines, list):
            return [self._source(line) for line in lines]
        return self._scrub.source(lines) if isinstance(lines, str) else None

    def _text(self, words: str) -> str:
        if len(self._path) > 2:
            words = self._without_path(words, self._path, self._route)
        return self._scrub.text(words, _MAX_TEXT)


def _user(user: Any) -> dict[str, str]:
    from ...pipeline.identity import as_stored

    key = user.get("id") if isinstance(user, dict) else None
    stored = as_stored(str(key)[:100]) if key else ""
    return {"id": stored} if stored else {}


def _route_of(event: Any) -> str:
    """Return the route of an event that was made outside of what we know."""
    info = event.get("transaction_info")
    known = isinstance(info, dict) and info.get("source") == "route"
    return str(event.get("transaction") or SCRUBBED) if known else SCRUBBED


def _path_of(event: Any) -> str:
    request = event.get("request")
    url = _split(request.get("url")) if isinstance(request, dict) else None
    return str(url.path) if url is not None else ""


def _split(url: Any) -> Any:
    if not isinstance(url, str):
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None
