"""Structured frames of a chain of exceptions, rendered once per place in the code and once per stack.

A warm error costs a walk over its traceback and one lookup: the JSON text of a frame is remembered per
instruction of a code object, that of a whole chain per sequence of them. Locals are never looked at.
"""

from __future__ import annotations

import json
import linecache
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Literal, NamedTuple

from ..conf import known
from ..text import clean
from . import scrub

Relation = Literal["", "cause", "context", "group"]

#: Links of one chain, frames at each end of one traceback, frames of a whole chain.
MAX_LINKS: Final = 10
MAX_AT_EACH_END: Final = 30
MAX_FRAMES: Final = 200
#: Characters of the frames of a whole chain, as JSON: a record must fit into the spool.
MAX_CHARACTERS: Final = 90_000
#: Source lines before and after the one that failed, and characters of each.
AROUND: Final = 2
MAX_LINE: Final = 200

# Both memories are emptied when full: that costs one cold error, and no bookkeeping for the warm ones.
_MAX_STACKS: Final = 512
_MAX_STACK_CHARACTERS: Final = 2_000_000
_MAX_PLACES: Final = 2048

# What was left out is counted in hundreds, so that a recursion gives one stack, not many.
_ROUNDED_TO: Final = 100


class Link(NamedTuple):
    """One exception of a chain, and how it came to be beside the one before it."""

    error: BaseException
    relation: Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The frames of a chain.

    ``digest`` is empty when there are none. ``where`` names, for each link, the functions by which alike
    errors are known; ``culprit`` the one to look at first.
    """

    digest: str
    frames: str
    where: tuple[str, ...]
    culprit: str
    through_template: bool = False


class _Place(NamedTuple):
    """A rendered frame, with the code object, which must live as long as its ``id`` is remembered."""

    code: CodeType | None
    text: str
    function: str
    in_app: bool
    in_template: bool = False


class _Memory:
    """What was rendered under the same ``QAPROD["IN_APP"]``."""

    def __init__(self, in_app: tuple[str, ...]) -> None:
        self.in_app = in_app
        self.places: dict[tuple[int, int], _Place] = {}
        self.stacks: dict[tuple[int, ...], tuple[Stack, list[_Place]]] = {}
        self.characters = 0

    def keep(self, key: tuple[int, ...], stack: Stack, places: list[_Place]) -> None:
        if len(self.stacks) >= _MAX_STACKS or self.characters >= _MAX_STACK_CHARACTERS:
            self.stacks.clear()
            self.characters = 0
        self.characters += len(stack.frames)
        self.stacks[key] = (stack, places)


_memory = _Memory(())


def chain(error: BaseException) -> list[Link]:
    """Return the exception and those it came from: causes, contexts not suppressed, members of groups.

    At most ``MAX_LINKS``; a cycle ends where it closes.
    """
    if error.__cause__ is None and error.__context__ is None and not isinstance(error, BaseExceptionGroup):
        return [Link(error, "")]
    links: list[Link] = []
    _follow(error, "", links, set())
    return links


def stack(links: Sequence[Link]) -> Stack:
    """Return the rendered frames of a chain."""
    memory = _memory_in_force()
    key: list[int] = []
    for link in links:
        _add_key(link.error.__traceback__, key)
    found = memory.stacks.get(tuple(key))
    if found is not None:
        return found[0]
    places = [_places(_shortened(_steps(link.error.__traceback__)), memory) for link in links]
    made = _assemble(places)
    memory.keep(tuple(key), made, [place for group in places for place in group])
    return made


def in_app(error: BaseException) -> tuple[str, ...]:
    """Return the host's own frames that an exception came through, rendered, the outermost first."""
    places = _places(_shortened(_steps(error.__traceback__)), _memory_in_force())
    return tuple([place.text for place in places if place.in_app])


def stack_of_call(path: str, line: int) -> Stack | None:
    """Return the frame of this thread that is at that line, for a log record; ``None`` without one."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(30):
        if frame is None:
            return None
        if frame.f_lineno == line and frame.f_code.co_filename == path:
            return _assemble([[_place(frame, frame.f_lasti, line, _memory_in_force())]])
        frame = frame.f_back
    return None


def template_place(error: BaseException) -> tuple[str, int] | None:
    """Return the name and line of the innermost template tag that was being rendered.

    Django keeps them on the exception in DEBUG alone; the node that was rendering knows them always.
    """
    found = None
    for frame, _ in _steps(error.__traceback__):
        if frame.f_code is _render_code():
            node: Any = frame.f_locals.get("self")
            origin, token = getattr(node, "origin", None), getattr(node, "token", None)
            name = getattr(origin, "template_name", None)
            if isinstance(name, str) and token is not None:
                found = (name, int(token.lineno or 0))
    return found


def parse(text: str) -> Stack:
    """Return the frames that a traceback in words tells of, where the exception itself is out of reach."""
    frames = [
        _from_words(file, int(line), function, code)
        for file, line, function, code in _TRACEBACK_LINE.findall(text[-100_000:])
    ]
    return _assemble([_shortened_places(frames)])


def short_path(path: str) -> str:
    """Return the path as the import system sees it (``jobs/views.py``): the same on every machine."""
    return _short_path(path)


def _follow(error: BaseException, relation: Relation, links: list[Link], seen: set[int]) -> None:
    if len(links) >= MAX_LINKS or id(error) in seen:
        return
    seen.add(id(error))
    links.append(Link(error, relation))
    if error.__cause__ is not None:
        _follow(error.__cause__, "cause", links, seen)
    elif error.__context__ is not None and not error.__suppress_context__:
        _follow(error.__context__, "context", links, seen)
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions[:MAX_LINKS]:
            _follow(member, "group", links, seen)


def _add_key(traceback: TracebackType | None, key: list[int]) -> None:
    start = len(key)
    while traceback is not None:
        key.append(id(traceback.tb_frame.f_code))
        # The instruction, not the line: it is there, where the line has to be looked up.
        key.append(traceback.tb_lasti)
        traceback = traceback.tb_next
    length = len(key) - start
    if length > 4 * MAX_AT_EACH_END:
        left_out = length // 2 - 2 * MAX_AT_EACH_END
        key[start + 2 * MAX_AT_EACH_END : -2 * MAX_AT_EACH_END] = [left_out // _ROUNDED_TO]
    key.append(-1)


def _steps(traceback: TracebackType | None) -> Iterator[tuple[FrameType, TracebackType]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback
        traceback = traceback.tb_next


def _shortened(
    steps: Iterator[tuple[FrameType, TracebackType]],
) -> list[tuple[FrameType, TracebackType] | int]:
    every: list[tuple[FrameType, TracebackType] | int] = list(steps)
    left_out = len(every) - 2 * MAX_AT_EACH_END
    if left_out <= 0:
        return every
    return [*every[:MAX_AT_EACH_END], left_out, *every[-MAX_AT_EACH_END:]]


def _shortened_places(places: list[_Place]) -> list[_Place]:
    left_out = len(places) - 2 * MAX_AT_EACH_END
    if left_out <= 0:
        return places
    return [*places[:MAX_AT_EACH_END], _gap(left_out), *places[-MAX_AT_EACH_END:]]


def _places(steps: list[tuple[FrameType, TracebackType] | int], memory: _Memory) -> list[_Place]:
    return [
        _gap(step) if isinstance(step, int) else _place(step[0], step[1].tb_lasti, step[1].tb_lineno, memory)
        for step in steps
    ]


def _gap(left_out: int) -> _Place:
    rounded = left_out // _ROUNDED_TO * _ROUNDED_TO
    words = f"… more than {rounded} frames left out …" if rounded else "… frames left out …"
    return _Place(None, _text(file="", line=0, function=words, module="", in_app=False), "", False)


def _place(frame: FrameType, instruction: int, line: int | None, memory: _Memory) -> _Place:
    code = frame.f_code
    key = (id(code), instruction)
    known = memory.places.get(key)
    if known is not None:
        return known
    if len(memory.places) >= _MAX_PLACES:
        memory.places.clear()
    place = memory.places[key] = _render(frame, line or code.co_firstlineno, memory.in_app)
    return place


def _render(frame: FrameType, line: int, prefixes: tuple[str, ...]) -> _Place:
    code = frame.f_code
    module = frame.f_globals.get("__name__")
    module = module if isinstance(module, str) else ""
    in_app = _is_in_app(module, code.co_filename, prefixes)
    lines = linecache.getlines(code.co_filename, frame.f_globals)
    text = _text(
        file=_short_path(code.co_filename),
        line=line,
        function=code.co_qualname,
        module=module,
        in_app=in_app,
        code=_source(lines, line),
        before=[_source(lines, at) for at in range(line - AROUND, line) if at > 0] if in_app else (),
        after=[_source(lines, at) for at in range(line + 1, line + 1 + AROUND)] if in_app else (),
    )
    return _Place(code, text, f"{module}.{code.co_qualname}", in_app, code is _render_code())


def _from_words(path: str, line: int, function: str, code: str) -> _Place:
    short = _short_path(path)
    module = short.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    in_app = _is_in_app(module, path, known().in_app)
    text = _text(
        file=short, line=line, function=function, module=module, in_app=in_app, code=_source([code], 1)
    )
    return _Place(None, text, f"{module}.{function}", in_app)


def _text(
    *,
    file: str,
    line: int,
    function: str,
    module: str,
    in_app: bool,
    code: str = "",
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> str:
    frame = {
        "file": clean(file, 300),
        "line": line,
        "function": clean(function, 200),
        "module": clean(module, 200),
        "in_app": in_app,
        "before": before,
        "code": code,
        "after": after,
    }
    return json.dumps(frame, separators=(",", ":"))


def _source(lines: Sequence[str], number: int) -> str:
    if not 0 < number <= len(lines):
        return ""
    return clean(scrub.source(lines[number - 1].rstrip()[: MAX_LINE * 2]), MAX_LINE)


def _assemble(places: list[list[_Place]]) -> Stack:
    text = f"[{','.join([_list(group) for group in _fitting(places)])}]"
    return Stack(
        digest=blake2b(text.encode(), digest_size=16).hexdigest() if any(places) else "",
        frames=text,
        where=tuple(_where(group) for group in places),
        culprit=_culprit(places),
        through_template=any(place.in_template for group in places for place in group),
    )


def _fitting(places: list[list[_Place]]) -> list[list[_Place]]:
    """Return the frames that there is room for: of each link the innermost, the first link first."""
    frames_left, characters_left = MAX_FRAMES, MAX_CHARACTERS
    fitting = []
    for group in places:
        kept: list[_Place] = []
        for place in reversed(group):
            frames_left -= 1
            characters_left -= len(place.text)
            if frames_left < 0 or characters_left < 0:
                break
            kept.append(place)
        fitting.append(kept[::-1])
    return fitting


def _list(places: list[_Place]) -> str:
    return f"[{','.join([place.text for place in places])}]"


def _where(places: list[_Place]) -> str:
    names = [place.function for place in places if place.in_app] or [place.function for place in places]
    # Once each: how deep a recursion went is not what it was about.
    return "\n".join(dict.fromkeys(names[: MAX_AT_EACH_END * 2]))


def _culprit(places: list[list[_Place]]) -> str:
    for group in places:
        for place in reversed(group):
            if place.in_app:
                return clean(place.function, 300)
    for group in places:
        if group:
            return clean(group[-1].function, 300)
    return ""


def _is_in_app(module: str, path: str, prefixes: tuple[str, ...]) -> bool:
    if prefixes:
        return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)
    top = module.partition(".")[0]
    return not (
        top in {"django", "django_qaprod"}
        or path.startswith(_not_in_app())
        or "site-packages" in path
        or "dist-packages" in path
    )


def _memory_in_force() -> _Memory:
    global _memory
    prefixes = known().in_app
    if _memory.in_app != prefixes:
        _memory = _Memory(prefixes)
    return _memory


@cache
def _not_in_app() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return "<", f"{paths['stdlib']}/", f"{paths['platstdlib']}/"


@cache
def _render_code() -> CodeType:
    from django.template.base import Node

    return Node.render_annotated.__code__


def _short_path(path: str) -> str:
    best = ""
    for root in sys.path:
        if root and len(root) > len(best) and path.startswith(root.rstrip("/") + "/"):
            best = root.rstrip("/")
    return path[len(best) + 1 :] if best else path


_TRACEBACK_LINE: Final = re.compile(
    r'^ *File "([^"\n]+)", line (\d+), in ([^\n]+)\n(?: +(?!File ")([^\n]*))?', re.MULTILINE
)
