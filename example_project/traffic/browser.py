"""A visitor's browser: cookies, redirects, a User-Agent, and no patience without end."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from .agents import Agent
from .pages import Form, Page
from .tally import Tally

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, behind all redirects.

    ``status`` is 0 when nothing came; ``broken_off`` when the rest did not. ``first`` is the status of the
    first response, ``path`` where the redirects led.
    """

    status: int
    path: str
    text: str = ""
    first: int = 0
    broken_off: bool = False

    @property
    def good(self) -> bool:
        """Whether a visitor can go on."""
        return 200 <= self.status < 400 and not self.broken_off

    @property
    def page(self) -> Page:
        """The page, parsed."""
        return Page(self.text)


class Browser:
    """One visitor's browser. Each request has a connection of its own: none is sent twice unnoticed."""

    def __init__(self, base: str, agent: Agent, tally: Tally, *, patience: float = 15.0) -> None:
        self.agent = agent
        self._host = urlsplit(base).netloc
        self._base = base
        self._tally = tally
        self._patience = patience
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._follow("GET", path, None)

    def send(self, form: Form, at: str, values: dict[str, str] | None = None) -> Answer:
        """Send a form that stood on the page ``at``, with some of its fields filled in."""
        fields = {**form.fields, **(values or {})}
        return self._follow(form.method.upper(), urljoin(at, form.action), urlencode(fields))

    def _follow(self, method: str, path: str, body: str | None) -> Answer:
        answer = self._request(method, path, body)
        first = answer.status
        for _ in range(_MOST_REDIRECTS):
            if answer.status not in _REDIRECTS:
                break
            answer = self._request("GET", answer.path, None)
        return Answer(
            status=answer.status,
            path=answer.path,
            text=answer.text,
            first=first,
            broken_off=answer.broken_off,
        )

    def _request(self, method: str, path: str, body: str | None) -> Answer:
        self._tally.add("requests")
        connection = HTTPConnection(self._host, timeout=self._patience)
        try:
            connection.request(method, path, body, self._headers(path, body))
            response = connection.getresponse()
        except (OSError, HTTPException):
            connection.close()
            self._tally.add("unanswered")
            return Answer(status=0, path=path)
        try:
            text, broken_off = response.read().decode("utf-8", "replace"), False
        except (OSError, HTTPException):
            text, broken_off = "", True
            self._tally.add("broken_off")
        finally:
            connection.close()
        self._note(response)
        there = urljoin(path, response.headers.get("Location", ""))
        return Answer(status=response.status, path=_local(there), text=text, broken_off=broken_off)

    def _headers(self, path: str, body: str | None) -> dict[str, str]:
        headers = {"User-Agent": self.agent.header, "Connection": "close", "Accept-Language": "en-GB"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if body is not None:
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": self._base,
                "Referer": urljoin(self._base, path),
            }
        return headers

    def _note(self, response: HTTPResponse) -> None:
        self._tally.add_to("statuses", str(response.status))
        if response.status >= 500:
            self._tally.add("error_pages")
        elif response.status == 404:
            self._tally.add("not_found")
        for header in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self._cookies[name] = morsel.value


def _local(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
