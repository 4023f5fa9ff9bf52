"""How fast a backend may be asked: slots in flight that adapt, requests and tokens a minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Sleep = Callable[[float], Awaitable[None]]


class TokenBucket:
    """A rate a minute as a queue of reservations; a second's worth may go out at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, self._rate)
        self._level = self._burst
        self._clock = clock
        self._seen = clock()

    def take(self, amount: float) -> float:
        """Reserve `amount`; returns the seconds to wait before using it."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now
        # An amount above the burst would never fit: it goes out on a full bucket, into debt.
        wait = (min(amount, self._burst) - self._level) / self._rate
        self._level -= amount
        return max(0.0, wait)

    def give_back(self, amount: float) -> None:
        """Return what was reserved and not used (negative: use more)."""
        self._level += amount


class Limiter:
    """Admits calls to one backend.

    Concurrency follows AIMD: halved when the provider says "too many requests", one more for
    every round of successes, between 1 and `max_parallel`. `clock` and `sleep` are for tests.
    """

    def __init__(
        self,
        max_parallel: int,
        rpm: int | None = None,
        tpm: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.max_parallel = max_parallel
        self.limit = float(max_parallel)
        self.active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._clock, self._sleep = clock, sleep
        self._requests = TokenBucket(rpm, clock) if rpm else None
        self._tokens = TokenBucket(tpm, clock) if tpm else None
        self._paused_until = self._last_cut = clock()

    @asynccontextmanager
    async def slot(self, tokens: int) -> AsyncIterator[float]:
        """Hold a place in flight for a call of about `tokens`; yields its starting time."""
        await self._enter()
        try:
            await self._wait_for_rates(tokens)
            yield self._clock()
        finally:
            self.active -= 1
            self._admit()

    def succeeded(self, estimated_tokens: int, used_tokens: int) -> None:
        """Grow, and correct the token rate by what the call really used."""
        self.limit = min(self.max_parallel, self.limit + 1 / self.limit)
        if self._tokens:
            self._tokens.give_back(estimated_tokens - used_tokens)

    def rate_limited(self, started: float, retry_after: float | None) -> None:
        """Halve the concurrency and let nobody start before the provider wants calls again.

        Calls that were in flight at the last cut say nothing new and cut no further.
        """
        now = self._clock()
        if started >= self._last_cut:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = now
        self._paused_until = max(self._paused_until, now + (retry_after or 0.0))

    async def _enter(self) -> None:
        if self.active < int(self.limit) and not self._waiting:
            self.active += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.active -= 1  # the slot came together with the cancellation: pass it on
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self.active < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self.active += 1
                turn.set_result(None)

    async def _wait_for_rates(self, tokens: int) -> None:
        wait = self._requests.take(1) if self._requests else 0.0
        if self._tokens:
            wait = max(wait, self._tokens.take(tokens))
        if wait > 0:
            await self._sleep(wait)
        while (pause := self._paused_until - self._clock()) > 0:
            await self._sleep(pause)
