"""Management commands and threads of the host that end in an exception.

Python's own hooks are chained, nothing is patched. A ``CommandError`` is how a command says no, and an exit
is an exit: neither is a failure. Commands that other code calls (``call_command``) raise into that code.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from types import TracebackType
from typing import Any

from django.core.management.base import CommandError

from .. import context
from ..pipeline.guard import guarded

# These serve or run other things that have a context of their own.
_SERVERS = frozenset({"runserver", "runserver_plus", "test", "testserver", "shell", "shell_plus", "dbshell"})
_PROGRAMS = frozenset({"manage", "manage.py", "django-admin", "django-admin.py"})
_OWN_PREFIX = "qaprod"
_NUMBER = r"[-_]\d+"

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]
ThreadHook = Callable[[threading.ExceptHookArgs], Any]


def install() -> None:
    """Chain the hooks for uncaught exceptions, and name what runs. May be called again."""
    if not _is_ours(sys.excepthook):
        sys.excepthook = partial(_on_exception, sys.excepthook)
    if not _is_ours(threading.excepthook):
        threading.excepthook = partial(_on_thread_exception, threading.excepthook)
    command = management_command()
    if command and command not in _SERVERS and context.current() is None:
        context.enter(named("command", command))


def uninstall() -> None:
    """Put back the hooks that were there, where ours are still on top. For tests."""
    if isinstance(sys.excepthook, partial) and sys.excepthook.func is _on_exception:
        sys.excepthook = sys.excepthook.args[0]
    if isinstance(threading.excepthook, partial) and threading.excepthook.func is _on_thread_exception:
        threading.excepthook = threading.excepthook.args[0]


def management_command() -> str:
    """Return the name of the management command that this process was started for, without its arguments."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        return ""
    program = PurePath(sys.argv[0])
    started_by_django = program.name in _PROGRAMS or program.parts[-2:] == ("django", "__main__.py")
    return sys.argv[1] if started_by_django else ""


def named(kind: context.Kind, name: str) -> context.Context:
    """Return the context of a command or task."""
    made = context.Context()
    made.kind = kind
    made.name = name
    return made


def _on_exception(
    before: Hook, error_type: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    _report(error)
    before(error_type, error, traceback)


def _on_thread_exception(before: ThreadHook, args: threading.ExceptHookArgs) -> None:
    _report_thread(args)
    before(args)


@guarded("capture.commands")
def _report(error: BaseException) -> None:
    command = management_command()
    # Any other program (a test runner, a shell) shows its errors to the person who runs it.
    if (
        command
        and command not in _SERVERS
        and isinstance(error, Exception)
        and not isinstance(error, CommandError)
    ):
        from ..pipeline.failures import report_exception

        report_exception(error, kind="command", name=command)


@guarded("capture.threads")
def _report_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else ""
    # Our own threads answer for themselves: what fails in them is health, not a failure of the host.
    if isinstance(args.exc_value, Exception) and not name.startswith(_OWN_PREFIX):
        from ..pipeline.failures import report_exception

        report_exception(args.exc_value, kind="unhandled", name=re.sub(_NUMBER, "", name))


def _is_ours(hook: object) -> bool:
    return isinstance(hook, partial) and hook.func in (_on_exception, _on_thread_exception)
