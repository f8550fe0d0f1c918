"""Running what blocks beside the event loop, in a way that never delays the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


async def in_thread(function: Callable[_P, _R], *arguments: _P.args, **named: _P.kwargs) -> _R:
    """Call `function` in a daemon thread of its own and return what it returns or raise what it raises.

    `asyncio.to_thread` would have the process wait for the thread at its end; a conversion takes minutes, and a
    Ctrl-C in the midst of it must not.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_R] = loop.create_future()

    def settle(result: _R | None, error: BaseException | None) -> None:
        if future.done():  # cancelled: nobody waits any more
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error it is what the function returned

    def run() -> None:
        result, caught = None, None
        try:
            result = function(*arguments, **named)
        except BaseException as error:  # carried over to whoever awaits
            caught = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, caught)

    threading.Thread(target=run, name=function.__name__, daemon=True).start()
    return await future
