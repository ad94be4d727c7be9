"""What a visitor makes of a page: its forms, its links and its marks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_REFERENCE = re.compile(r"[0-9A-F]{5}-[0-9A-F]{5}")


@dataclass(slots=True, kw_only=True)
class Form:
    """A form: ``fields`` has its names with what is in them, ``names`` those that a visitor fills in."""

    name: str
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    has_button: bool = False
    #: The classes of what its button stands in: a style sheet may hide it from some.
    look: frozenset[str] = frozenset()


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.marks: set[str] = set()
        #: Whether it is the plain page that is served when the site's own fails.
        self.plain = False
        #: What the visitor was told of a submission that was kept, nothing if there is no such thing.
        self.reference = ""
        #: Where the site leads whoever was told so, nothing if it does not.
        self.onward = ""
        self._form: Form | None = None
        self._look: frozenset[str] = frozenset()
        self._textarea = ""
        self.feed(text)

    def form(self, name: str) -> Form | None:
        """Return the form with that ``data-form``, unless its button is missing: then it is of no use."""
        usable = (form for form in self.forms if form.has_button)
        return next((form for form in usable if self.plain or form.name == name), None)

    def links_to(self, prefix: str) -> list[str]:
        """Return the links whose path goes on behind ``prefix``, each once."""
        return [link for link in dict.fromkeys(self.links) if link.startswith(prefix) and link != prefix]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "data-page" in found:
            self.marks.add(found["data-page"])
        self.reference = found.get("data-reference", self.reference)
        if tag == "body":
            self.plain = "qaprod-forms" in found.get("class", "")
        if tag == "a" and found.get("href"):
            self.links.append(found["href"].partition("?")[0])
            if "data-onward" in found:
                self.onward = found["href"]
        elif tag == "link" and found.get("rel") == "stylesheet":
            self.links.append(found["href"])
        elif tag == "form":
            self._form = Form(
                name=found.get("data-form", ""),
                action=found.get("action", ""),
                method=found.get("method", "get").lower(),
            )
            self.forms.append(self._form)
        elif tag == "div":
            self._look = frozenset(found.get("class", "").split())
        elif self._form is not None:
            self._field(self._form, tag, found)

    def handle_data(self, data: str) -> None:
        if self.plain and _REFERENCE.fullmatch(data):
            self.reference = data
        if self._form is not None and self._textarea:
            self._form.fields[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._form is not None:
            self._form.fields[self._textarea] = self._form.fields[self._textarea].strip()
            self._textarea = ""

    def _field(self, form: Form, tag: str, found: dict[str, str]) -> None:
        name, kind = found.get("name", ""), found.get("type", "text")
        if tag == "button":
            form.has_button, form.look = True, self._look
        elif tag == "textarea":
            self._textarea = name
            form.fields[name] = ""
            form.names.append(name)
        elif tag == "input" and name:
            if kind != "checkbox":
                form.fields[name] = found.get("value", "")
            if kind != "hidden":
                form.names.append(name)
