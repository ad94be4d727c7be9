"""Streams: the request ends when its last chunk has left, and an error in mid-stream is an error.

By then status 200 has been sent and no signal of Django's fires. The wrappers hold no context variable over
a ``yield``: it is set for each step of the host's iterator and put back at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from .. import context
from ..pipeline import hooks
from ..pipeline.guard import guarded
from .signals import report_unhandled

if TYPE_CHECKING:
    from ..records import Outcome

#: Called once, with ``None`` for the outcome that the status says.
Finish: TypeAlias = "Callable[[Outcome | None], object]"


def wrap(response: HttpResponseBase, current: context.Context, finish: Finish) -> bool:
    """Watch the stream of a response; return whether there is one that can be watched.

    A ``FileResponse`` is left alone, or the server could not hand the file to ``sendfile``;
    the answer to HEAD has no body that anybody would read to its end.
    """
    if not isinstance(response, StreamingHttpResponse) or isinstance(response, FileResponse):
        return False
    if current.method == "HEAD":
        return False
    stream: Any = response.streaming_content
    if hooks.stream_witnesses:
        hooks.tell(hooks.stream_witnesses, current)
    if response.is_async:
        response.streaming_content = AsyncStream(stream, current, finish)
    else:
        response.streaming_content = Stream(stream, current, finish)
    return True


class _Watched:
    def __init__(self, stream: Any, current: context.Context, finish: Finish) -> None:
        self._stream = stream
        self._context = current
        self._finish: Finish | None = finish

    @guarded("capture.request")
    def _end(self, outcome: Outcome | None) -> None:
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(outcome)

    def close(self) -> None:
        """Count the stream as aborted, unless it came to its end: the server is done with it."""
        self._end("aborted")

    def __del__(self) -> None:
        # Django's ASGI handler drops a response whose client has gone without closing it.
        if self._finish is not None:
            self._context.dropped = True
            self.close()


class Stream(_Watched):
    """A synchronous stream that is watched."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        token = context.enter(self._context)
        going_on = False
        try:
            chunk = next(self._stream)
            going_on = True
        except StopIteration:
            self._end(None)
            raise
        except Exception as error:
            report_unhandled(error)
            self._end("server_error")
            raise
        finally:
            context.leave(token)
            if not going_on:
                # Not an Exception: a visitor who went away (CancelledError), or a process that must end.
                self._end("aborted")
        return chunk


class AsyncStream(_Watched):
    """An asynchronous stream that is watched."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        token = context.enter(self._context)
        going_on = False
        try:
            chunk = await anext(self._stream)
            going_on = True
        except StopAsyncIteration:
            self._end(None)
            raise
        except Exception as error:
            report_unhandled(error)
            self._end("server_error")
            raise
        finally:
            context.leave(token)
            if not going_on:
                # Not an Exception: a visitor who went away (CancelledError), or a process that must end.
                self._end("aborted")
        return chunk
