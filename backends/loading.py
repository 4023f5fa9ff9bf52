"""A model that is loaded once, however many calls wait for it and whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Loading(Generic[T]):
    """What `load` returns, made in `thread` for the first who asks and shared with all others.

    A load belongs to no event loop, and goes on when those who wait for it are cancelled: who asks
    next waits for the same one. One that failed is tried again when somebody asks again.
    """

    def __init__(self, load: Callable[[], T], thread: Executor) -> None:
        self._load, self._thread = load, thread
        # In a list, which `drop` empties: interrupted waits may keep the future for long. An error
        # is returned and not raised: asyncio would report it for each wait that was given up.
        self._future: Future[list[T] | Exception] | None = None

    async def get(self) -> T:
        """The model, as soon as it is there.

        Raises what `load` raises, and CancelledError when it is dropped meanwhile.
        """
        future = self._future
        if future is None:
            future = self._future = self._thread.submit(self._loaded)
        held = _held(future)
        if held is None:
            result = await asyncio.shield(asyncio.wrap_future(future))
            if isinstance(result, Exception):
                # Not before: however soon it failed, all who asked meanwhile learn of the one try.
                if self._future is future:
                    self._future = None
                raise result
            held = result
        if not held:
            raise asyncio.CancelledError("closed while it was being loaded")
        return held[0]

    def drop(self) -> T | None:
        """Forget the model. Returns it to be closed; one that still loads goes when it is there."""
        future, self._future = self._future, None
        if future is None:
            return None
        held = _held(future)
        if held:
            return held.pop()
        future.add_done_callback(_empty)
        return None

    def _loaded(self) -> list[T] | Exception:
        try:
            return [self._load()]
        except Exception as error:
            return error


def _held(future: Future[list[T] | Exception]) -> list[T] | None:
    """What holds the model, if that is loaded."""
    result = future.result() if future.done() and not future.cancelled() else None
    return result if isinstance(result, list) else None


def _empty(future: Future[list[T] | Exception]) -> None:
    held = _held(future)
    if held:
        held.clear()
