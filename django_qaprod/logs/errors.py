"""An exception as a log line tells it: the words are those of its failure, and so are the frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..pipeline import process
from .surroundings import Surroundings

if TYPE_CHECKING:
    from ..records import ChainLink

#: Characters of a stack trace; of a longer one the end is kept, where the error is.
MAX_STACK: Final = 10_000

# In Python's words, so that who reads them needs to learn nothing.
_BETWEEN: Final = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}
_MEMBER: Final = "One of the exceptions of the group:"


class Told(NamedTuple):
    """An exception. ``occurrence_id`` and ``fingerprint`` are there if it was recorded."""

    error_type: str = ""
    error_message: str = ""
    occurrence_id: str = ""
    fingerprint: str = ""
    stack_trace: str = ""


def of(error: BaseException, around: Surroundings) -> Told:
    """Return what a line tells of an exception and those that it came from."""
    failures, frames = _modules()
    links = frames.chain(error)
    chain = failures.described(links, around.without_path)
    occurrence_id, fingerprint = failures.link_of(error)
    text = "\n\n".join(_paragraphs(chain, _tracebacks(frames.stack(links).frames)))
    return Told(
        error_type=chain[0].error_type,
        error_message=chain[0].message,
        occurrence_id=occurrence_id,
        fingerprint=fingerprint,
        stack_trace=text if len(text) <= MAX_STACK else f"…{text[-MAX_STACK:]}",
    )


@cache
def _modules() -> tuple[ModuleType, ModuleType]:
    """Return ``failures`` and ``frames``, which are not imported at every start of the host."""
    # Under the lock if it is free, because the child of a fork in mid-import would wait for ever. Not waiting
    # for it: we are under a handler's lock, and whoever imports may be about to log.
    held = process.importing.acquire(blocking=False)
    try:
        from ..pipeline import failures, frames
    finally:
        if held:
            process.importing.release()
    return failures, frames


def _paragraphs(chain: Sequence[ChainLink], tracebacks: Sequence[str]) -> Iterator[str]:
    """Yield each exception and how it came about, the one that was caught at the end of its chain."""
    told = list(zip(chain, tracebacks, strict=True))
    begins = [at for at, (link, _) in enumerate(told) if link.relation == "group"]
    for begin, end in zip([0, *begins], [*begins, len(told)], strict=True):
        if begin:
            yield _MEMBER
        for link, traceback in reversed(told[begin:end]):
            words = (f"{link.error_type}: {link.message}", *link.notes)
            yield "\n".join((traceback, *words) if traceback else words)
            if link.relation in _BETWEEN:
                yield _BETWEEN[link.relation]


# The frames of most errors were seen before.
@lru_cache(maxsize=128)
def _tracebacks(frames: str) -> tuple[str, ...]:
    return tuple(_traceback(group) for group in json.loads(frames))


def _traceback(group: list[dict[str, Any]]) -> str:
    if not group:
        return ""
    return "\n".join(("Traceback (most recent call last):", *map(_frame, group)))


def _frame(frame: dict[str, Any]) -> str:
    if not frame["file"]:
        return f"  {frame['function']}"
    place = f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}'
    return f"{place}\n    {frame['code'].strip()}" if frame["code"] else place
