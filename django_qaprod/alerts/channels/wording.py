"""What a message says, so that no receiver stumbles over it: one line, cut, without what is not shown."""

from __future__ import annotations

import re

from ...text import clean, one_line
from .base import Message

MAX_SUBJECT, MAX_TEXT, MAX_HTML = 200, 20_000, 200_000

# What calls everybody in a chat, however it is written: Slack's <!channel> and <@U123>, @everyone, @here.
_CALLS = re.compile(
    r"(?<=<)(?=[!@#])|(?<=@)(?=(?i:everyone|here|channel|all|room|team)\b)|(?<![\w.]@)(?<=@)(?=[\w&!])"
)
_APART = "\u200b"  # a space of no width


def subject(message: Message, limit: int = MAX_SUBJECT) -> str:
    """Return the subject on one line: no header can be added by it, nothing turned around."""
    return one_line(message.subject, limit) or "(no subject)"


def text(message: Message, limit: int = MAX_TEXT) -> str:
    """Return the text; control characters but newlines and tabs become spaces."""
    cut = clean(message.text, limit).replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in cut)


def html(message: Message) -> str:
    """Return the HTML; none where it is too long: cut, it would not be well formed."""
    return clean(message.html, MAX_HTML) if len(message.html) <= MAX_HTML else ""


def short(message: Message) -> str:
    """Return what fits into a short message (SMS): the subject, and the one address to act or look."""
    address = message.act or message.look
    return "\n".join(filter(None, (subject(message, 100), address)))


def calling_nobody(words: str) -> str:
    """Return the text so that it calls nobody in a chat, whoever has written it."""
    return _CALLS.sub(_APART, words)
