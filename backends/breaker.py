"""Holds all calls to an endpoint that is dead, tries it now and then, and says so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from backends.limits import Sleep
from runtime.errors import ToolkitError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FAILURES = 5
# One request that a server cannot answer must not pass for a dead server; one refused connection
# after another may.
_REQUESTS = 3
_DEAD = {"connection", "timeout", "server"}
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Breaker:
    """Stands before one endpoint.

    It opens after five failures in a row (lost connections, or timeouts and server errors of at
    least three requests) with no answer between them. Then one of the calls that wait tries the
    endpoint after 1, 2, 4 … 30 seconds, another one the next time. These failures are the
    endpoint's: no call uses up its attempts by them. Any answer closes it again. After
    `dead_after_s` without one it gives up. `clock` and `sleep` are for tests.
    """

    def __init__(
        self,
        name: str,
        dead_after_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name, self._dead_after_s = name, dead_after_s
        self._clock, self._sleep = clock, sleep
        self._probing = asyncio.Lock()
        self._failures = 0
        self._failing: set[str] = set()
        self._since = 0.0
        self._pause = _FIRST_PAUSE_S
        self._told = False
        self._last: ToolkitError | None = None
        self.is_open = False

    async def guard(
        self, key: str, call: Callable[[], Awaitable[T]], on_repeat: Callable[[], None]
    ) -> T:
        """Await `call()` of the request `key`, as often as it fails because of the endpoint.

        `on_repeat` is called before each repetition. Raises what `call` raises for other
        reasons, and ToolkitError (prerequisite) when the endpoint stays dead.
        """
        while True:
            try:
                return await self._once(key, call)
            except _EndpointDownError:
                on_repeat()

    async def _once(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        if not self.is_open:
            return await self._watch(key, call)
        async with self._probing:  # first come, first tries; who failed queues up behind the rest
            if self.is_open:
                await self._wait()
                return await self._watch(key, call)
        return await self._watch(key, call)

    async def _wait(self) -> None:
        silent = self._clock() - self._since
        if silent >= self._dead_after_s:
            raise self._dead(silent)
        await self._sleep(min(self._pause, self._dead_after_s - silent))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)

    async def _watch(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await call()
        except ToolkitError as error:
            if error.kind not in _DEAD:
                self._answered()
            elif self._failed(key, error):
                raise _EndpointDownError from error
            raise
        self._answered()
        return answer

    def _failed(self, key: str, error: ToolkitError) -> bool:
        """Count a failure; whether it is the endpoint's and not the request's."""
        self._last = error
        if self.is_open:
            self._tell(error)
            return True
        if not self._failures:
            self._since = self._clock()
        self._failures += 1
        self._failing.add(key)
        lost = error.kind == "connection"
        self.is_open = self._failures >= _FAILURES and (lost or len(self._failing) >= _REQUESTS)
        return self.is_open

    def _answered(self) -> None:
        if self._told:
            silent = self._clock() - self._since
            logger.warning("%s answers again after %.0f s", self._name, silent)
        self.is_open = self._told = False
        self._failures, self._pause = 0, _FIRST_PAUSE_S
        self._failing.clear()

    def _tell(self, error: ToolkitError) -> None:
        """Say once that calls are held, when a first try has confirmed it."""
        if self._told:
            return
        self._told = True
        logger.warning(
            "%s has not answered for %.0f s (%s); waiting, will try again at most every %.0f s "
            "and stop after %.0f s",
            self._name,
            self._clock() - self._since,
            error.message,
            _LONGEST_PAUSE_S,
            self._dead_after_s,
        )

    def _dead(self, silent: float) -> ToolkitError:
        reason = self._last.message if self._last else "no reason known"
        return ToolkitError(
            "prerequisite",
            f"{self._name} has not answered for {silent:.0f} s: {reason}",
            "when it is up again, run the same command again: it goes on where it stopped; "
            "the backend's dead_after_s says how long is waited",
        )


class _EndpointDownError(Exception):
    """A call failed because its endpoint is down."""
