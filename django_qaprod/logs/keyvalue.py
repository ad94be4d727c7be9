r"""Lines of ``key=value``, for Splunk's automatic extraction; ``logfmt`` parsers read them, too.

A value that is more than a word stands in double quotes. Inside there are none, they become single ones:
Splunk's ``KV_MODE = auto`` knows no escape and would take what comes behind one for fields. A backslash is
doubled, so that ``KV_MODE = auto_escaped`` takes none for the escape of the closing quote. The message and
what may be long stand at the end: of two values with one key Splunk takes the first.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from ..text import JSONValue
from . import surroundings
from .formatting import Formatter, logger_name, pid, printable, utc
from .lines import Line

_WORD: Final = re.compile(r"[A-Za-z0-9_.:+/@%-]+")
_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9_]")
_LONG: Final = frozenset({"error_message", "stack_trace", "stack"})
#: Keys that are ours on every line, and those of Splunk itself: an extra may not take them.
_TAKEN: Final = frozenset(
    {
        *("timestamp", "level", "logger", "message", "pid", "error_type", "occurrence_id", "fingerprint"),
        *("host", "source", "sourcetype", "index", "linecount", "punct", "eventtype", "tag"),
        *surroundings.NAMES,
        *_LONG,
    }
)


class KeyValueFormatter(Formatter):
    """Write a record as ``key=value`` pairs on one line.

    The keys are our own names (``request_id``, ``route``, ``user_id`` …), then those of ``extra``, as
    ``extra_*`` where they are taken. ``resource`` are fields of every line, with ``_`` for dots.
    """

    def text(self, record: logging.LogRecord, line: Line, constant: str) -> str:
        fields = list(line.fields())
        short = [field for field in fields if field[0] not in _LONG]
        # As they will stand there: only then it is seen that one would stand for a field of ours.
        extras = [(_free(_key(name)), value) for name, value in _flat(line.extras.items())]
        long = [("message", line.message), *[field for field in fields if field[0] in _LONG]]
        head = f"timestamp={utc(line.at)} level={shown(record.levelname)} logger={_logger(record.name)}"
        return f"{head}{pairs(short)}{pairs(extras)} pid={pid(record)}{constant}{pairs(long)}"

    def constant(self, resource: Mapping[str, str]) -> str:
        return pairs(resource.items())


def pairs(fields: Iterable[tuple[str, JSONValue]]) -> str:
    """Return fields as pairs, each with a space before it."""
    return "".join([f" {_key(name)}={shown(value)}" for name, value in _flat(fields)])


def shown(value: JSONValue) -> str:
    """Return a value as it stands behind its key."""
    if isinstance(value, str):
        words = value
    elif type(value) is int or type(value) is float:
        return str(value)
    else:
        words = json.dumps(value, ensure_ascii=False)
    if _WORD.fullmatch(words):
        return words
    return f'"{printable(words.replace(chr(92), chr(92) * 2).replace(chr(34), chr(39)))}"'


def _flat(fields: Iterable[tuple[str, JSONValue]]) -> Iterator[tuple[str, JSONValue]]:
    for name, value in fields:
        if isinstance(value, dict):
            yield from ((f"{name}_{key}", item) for key, item in value.items() if item is not None)
        elif value is not None:
            yield name, value


# Keys are few, as loggers are.
@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    return _NOT_IN_KEYS.sub("_", name)


@lru_cache(maxsize=1024)
def _logger(name: str) -> str:
    return shown(logger_name(name))


def _free(name: str) -> str:
    return f"extra_{name}" if name in _TAKEN else name
