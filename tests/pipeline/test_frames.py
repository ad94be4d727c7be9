from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from django.template import Context, Engine
from pytest_django.fixtures import Settings

from django_qaprod.pipeline import frames


def raised(function: Any, *args: Any) -> BaseException:
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


def stack_of(error: BaseException) -> frames.Stack:
    return frames.stack(frames.chain(error))


def rendered(error: BaseException) -> list[list[dict[str, Any]]]:
    parsed: list[list[dict[str, Any]]] = json.loads(stack_of(error).frames)
    return parsed


def fail(number: int = 1) -> None:
    before = "the line before"
    raise ValueError(number, before)


def recurse(depth: int) -> None:
    if not depth:
        raise ValueError("deep")
    recurse(depth - 1)


def test_a_frame_says_where_and_shows_the_lines_around() -> None:
    ((_, frame),) = rendered(raised(fail))
    assert frame["file"] == "tests/pipeline/test_frames.py"
    assert frame["function"] == "fail"
    assert frame["module"] == __name__
    assert frame["in_app"] is True
    assert frame["code"] == "    raise ValueError(number, before)"
    assert frame["before"] == ["def fail(number: int = 1) -> None:", '    before = "the line before"']
    assert len(frame["after"]) == 2
    assert frame["line"] == fail.__code__.co_firstlineno + 2


def test_no_locals_are_kept() -> None:
    def keep_secret() -> None:
        canary = "s3" + str(3)
        raise ValueError(len(canary))

    stack = stack_of(raised(keep_secret))
    assert "s3" + str(3) not in stack.frames


def test_a_library_frame_has_its_line_alone() -> None:
    ((_, *library),) = rendered(raised(json.loads, "{"))
    assert library
    for frame in library:
        assert not frame["in_app"]
        assert frame["before"] == frame["after"] == []
        assert frame["code"]


def test_the_host_says_what_is_its_own(settings: Settings) -> None:
    settings.QAPROD = {"IN_APP": ["json"]}
    ((own, *library),) = rendered(raised(json.loads, "{"))
    assert not own["in_app"]
    assert all(frame["in_app"] for frame in library)
    settings.QAPROD = {}
    assert rendered(raised(json.loads, "{"))[0][0]["in_app"]


def test_alike_errors_share_one_stack() -> None:
    errors = [raised(fail, number) for number in range(3)]
    assert len({stack_of(error).digest for error in errors}) == 1
    assert stack_of(errors[0]) is stack_of(errors[2])


def test_code_that_is_equal_but_elsewhere_is_not_taken_for_the_same() -> None:
    """Python's code objects are equal when their instructions are, wherever they come from."""
    source = "def f():\n    raise ValueError\n"
    made = []
    for name in ("/srv/one.py", "/srv/two.py"):
        space: dict[str, Any] = {"__name__": name}
        exec(compile(source, name, "exec"), space)
        made.append(space["f"])
    assert made[0].__code__.co_code == made[1].__code__.co_code
    files = [rendered(raised(function))[0][-1]["file"] for function in made]
    assert files == ["/srv/one.py", "/srv/two.py"]


@pytest.mark.parametrize("depth", [70, 300, 900])
def test_deep_recursion_is_cut_in_the_middle(depth: int) -> None:
    ((*frames_of_one,),) = rendered(raised(recurse, depth))
    assert len(frames_of_one) == 2 * frames.MAX_AT_EACH_END + 1
    assert "left out" in frames_of_one[frames.MAX_AT_EACH_END]["function"]
    assert frames_of_one[0]["function"] == "raised"


def test_how_deep_a_recursion_went_makes_no_other_failure() -> None:
    shallow, deep = (stack_of(raised(recurse, depth)) for depth in (3, 400))
    assert shallow.where == deep.where


def test_causes_contexts_and_members_of_groups_are_followed() -> None:
    def caused() -> None:
        try:
            fail()
        except ValueError as error:
            raise KeyError("k") from error

    def in_context() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError("k")  # noqa: B904

    def suppressed() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError("k") from None

    def grouped() -> None:
        raise ExceptionGroup("two", [raised(fail), raised(caused)])  # type: ignore[list-item]

    def relations(error: BaseException) -> list[tuple[str, str]]:
        return [(type(link.error).__name__, link.relation) for link in frames.chain(error)]

    assert relations(raised(caused)) == [("KeyError", ""), ("ValueError", "cause")]
    assert relations(raised(in_context)) == [("KeyError", ""), ("ValueError", "context")]
    assert relations(raised(suppressed)) == [("KeyError", "")]
    assert relations(raised(grouped)) == [
        ("ExceptionGroup", ""),
        ("ValueError", "group"),
        ("KeyError", "group"),
        ("ValueError", "cause"),
    ]
    assert len(rendered(raised(grouped))) == 4


def test_chains_are_bounded_and_may_be_circles() -> None:
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    assert len(frames.chain(first)) == 2
    top: BaseException = ValueError(0)
    for number in range(1000):
        following = ValueError(number)
        following.__context__ = top
        top = following
    assert len(frames.chain(top)) == frames.MAX_LINKS
    wide = ExceptionGroup(
        "wide", [ExceptionGroup("w", [ValueError(n) for n in range(100)]) for _ in range(100)]
    )
    assert len(frames.chain(wide)) == frames.MAX_LINKS


def test_an_error_that_was_never_raised_has_no_stack() -> None:
    stack = stack_of(ValueError())
    assert stack.digest == ""
    assert json.loads(stack.frames) == [[]]


def test_source_that_is_gone_leaves_empty_lines() -> None:
    space: dict[str, Any] = {"__name__": "gone"}
    exec(compile("def f():\n    raise ValueError", "/nowhere/gone.py", "exec"), space)
    frame = rendered(raised(space["f"]))[0][-1]
    assert frame["code"] == ""
    assert frame["line"] == 2


def test_the_template_that_was_being_rendered_is_known_without_debug() -> None:
    engine = Engine(debug=False)
    template = engine.from_string("a\n{% for x in xs %}{{ x.broken }}\n{% endfor %}")
    template.origin.template_name = "jobs/apply.html"

    class Broken:
        @property
        def broken(self) -> str:
            raise ValueError("in a template")

    error = raised(template.render, Context({"xs": [Broken()]}))
    assert stack_of(error).through_template
    assert frames.template_place(error) == ("jobs/apply.html", 2)
    assert not stack_of(raised(fail)).through_template


def test_a_traceback_in_words_gives_frames() -> None:
    error = raised(fail)
    stack = frames.parse("".join(traceback.format_exception(error)))
    ((_, frame),) = json.loads(stack.frames)
    assert frame["file"] == "tests/pipeline/test_frames.py"
    assert frame["function"] == "fail"
    assert frame["code"] == "raise ValueError(number, before)"
    assert stack.culprit == f"{__name__}.fail"
    assert frames.parse("nothing of the kind").digest == ""


def test_the_memory_is_bounded() -> None:
    for number in range(frames._MAX_STACKS + 10):
        space: dict[str, Any] = {"__name__": "flood"}
        exec(compile(f"def f{number}():\n    raise ValueError", f"/flood/{number}.py", "exec"), space)
        stack_of(raised(space[f"f{number}"]))
    assert len(frames._memory.stacks) <= frames._MAX_STACKS
    assert len(frames._memory.places) <= frames._MAX_PLACES
