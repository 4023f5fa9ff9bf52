"""How fast a backend may be asked: slots in flight that adapt, requests and tokens a minute."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from backends.rate_headers import Rate, RateLimits

logger = logging.getLogger(__name__)

_LONG_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 600.0

Sleep = Callable[[float], Awaitable[None]]


class TokenBucket:
    """A rate a minute as a queue of reservations; a second's worth may go out at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, self._rate)
        self._level = self._burst
        self._clock = clock
        self._seen = clock()

    @property
    def per_minute(self) -> float:
        """The rate."""
        return self._rate * 60

    def take(self, amount: float) -> float:
        """Reserve `amount`; returns the seconds to wait before using it."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now
        # An amount above the burst would never fit: it goes out on a full bucket, into debt.
        wait = (min(amount, self._burst) - self._level) / self._rate
        self._level -= amount
        return max(0.0, wait)

    def set_rate(self, per_minute: int) -> None:
        """Go on at another rate; debts stay."""
        self._rate = per_minute / 60
        self._burst = max(1.0, self._rate)

    def cap(self, amount: float) -> None:
        """No more than `amount` is there: others use the same key."""
        self._level = min(self._level, amount)

    def give_back(self, amount: float) -> None:
        """Return what was reserved and not used (negative: use more)."""
        self._level += amount


class Limiter:
    """Admits calls to one backend.

    Concurrency follows AIMD: halved when the provider says "too many requests", one more for
    every round of successes, between 1 and `max_parallel`. Rates that the config leaves open
    are those that the provider states in its headers. `clock` and `sleep` are for tests.
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
        self._rpm_given, self._tpm_given = rpm is not None, tpm is not None
        self._paused_until = self._last_cut = clock()

    @property
    def rates(self) -> tuple[float | None, float | None]:
        """Requests and tokens a minute that are kept to at present; None where without bound."""
        requests = self._requests.per_minute if self._requests else None
        return requests, self._tokens.per_minute if self._tokens else None

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
        """Halve the concurrency and let nobody start before the provider wants calls again, or
        for ten minutes, whichever is sooner.

        Calls that were in flight at the last cut say nothing new and cut no further.
        """
        now = self._clock()
        if started >= self._last_cut:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = now
        pause = min(retry_after or 0.0, _LONGEST_PAUSE_S)
        if now + pause > self._paused_until + _LONG_PAUSE_S:
            logger.warning("the provider wants %.0f s without calls; waiting", pause)
        self._paused_until = max(self._paused_until, now + pause)

    def adopt(self, limits: RateLimits) -> None:
        """Keep to the quota that a response stated, where the config says nothing."""
        if limits.requests and not self._rpm_given:
            self._requests = self._follow(self._requests, limits.requests)
        if limits.tokens and not self._tpm_given:
            self._tokens = self._follow(self._tokens, limits.tokens)

    def _follow(self, bucket: TokenBucket | None, rate: Rate) -> TokenBucket | None:
        if rate.per_minute is None:
            # The quota of a day may be used up in an hour; only its end matters.
            if rate.remaining == 0 and rate.reset_s is not None:
                pause = min(rate.reset_s, _LONGEST_PAUSE_S)
                self._paused_until = max(self._paused_until, self._clock() + pause)
            return bucket
        bucket = bucket or TokenBucket(rate.per_minute, self._clock)
        bucket.set_rate(rate.per_minute)
        if rate.remaining is not None:
            bucket.cap(rate.remaining)
        return bucket

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
