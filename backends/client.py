"""Ask a model for a typed answer: cache, coalescing, budget, limits, retries, one correction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from backends.base import Backend, Completion, Loads, ModelRequest
from backends.breaker import Breaker
from backends.cache import Cache
from backends.limits import Limiter, Sleep
from backends.parse import check_finish_reason, correction_turn, parse_answer
from backends.retry import Attempts, retry
from backends.usage import UsageMeter, priced
from runtime.errors import ToolkitError
from schemas.config import BackendConfig

if TYPE_CHECKING:
    from backends.batch import BatchQueue

IMAGE_TOKENS = 1000
"""What an image is taken to be before the provider has counted it."""

T = TypeVar("T", bound=BaseModel)
Validate = Callable[[T], None] | None


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A typed answer, the completion it was read from, and the key it is cached under."""

    value: T
    completion: Completion
    cached: bool
    key: str


@dataclass(slots=True)
class _Flight:
    """A live request and how many callers wait for it."""

    task: asyncio.Task[Parsed[Any]]
    waiters: int = 0


class ModelClient:
    """One backend as the agents see it. All agents that use the backend share one client.

    `name` is that of its profile. `usage` counts and holds the budget; `limiter`,
    `breaker` and `sleep` are for tests. With a `batch` nothing is asked: what it has no answer to
    is queued there, and PendingError raised.
    """

    def __init__(
        self,
        backend: Backend,
        config: BackendConfig,
        cache: Cache,
        usage: UsageMeter,
        *,
        name: str = "",
        limiter: Limiter | None = None,
        breaker: Breaker | None = None,
        batch: BatchQueue | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.backend, self.config = backend, config
        self.name = name or backend.identity
        self.cache, self.usage = cache, usage
        self.limiter = limiter or Limiter(config.max_parallel, config.rpm, config.tpm)
        self.breaker = breaker or Breaker(self.name, config.dead_after_s)
        self._load = backend.load if isinstance(backend, Loads) else None
        self._batch = batch
        self._sleep = sleep
        self._flights: dict[str, _Flight] = {}

    async def structured(
        self, request: ModelRequest, output: type[T], validate: Validate[T] = None
    ) -> Parsed[T]:
        """Answer `request` as an `output`.

        `validate` raises ToolkitError (semantic) for an answer that fits the schema and is
        wrong all the same. Identical requests in flight become one call. Raises ToolkitError.
        """
        self.usage.count("requests")
        key = request.cache_key(self.backend.identity, output)
        hit = self._from_cache(key, output, validate)
        if hit is not None:
            self.usage.count("cached")
            return hit
        flight = self._flights.get(key)
        if flight is None:
            task = asyncio.create_task(self._ask(key, request, output, validate))
            flight = self._flights[key] = _Flight(task)
        else:
            self.usage.count("coalesced")
        return await self._join(key, flight)

    def _from_cache(self, key: str, output: type[T], validate: Validate[T]) -> Parsed[T] | None:
        completion = self.cache.get(key)
        if completion is None:
            return None
        try:
            value = parse_answer(completion.text, output, validate)
        except ToolkitError:
            return None  # it passed when it was stored, so the check has changed: ask again
        return Parsed(value, completion, True, key)

    async def _join(self, key: str, flight: _Flight) -> Parsed[Any]:
        """Wait for a live request; it is cancelled when the last one who waits is."""
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if flight.waiters == 0:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _ask(
        self, key: str, request: ModelRequest, output: type[T], validate: Validate[T]
    ) -> Parsed[T]:
        attempts = Attempts()
        completion = await self._complete(key, request, output, attempts)
        try:
            value = parse_answer(completion.text, output, validate)
        except ToolkitError as error:
            if not error.correctable or attempts.left == 0:
                raise
            self.usage.count("corrections")
            request = correction_turn(request, completion.text, error)
            completion = await self._complete(key, request, output, attempts)
            value = parse_answer(completion.text, output, validate)
        self.cache.put(key, completion)
        return Parsed(value, completion, False, key)

    async def _complete(
        self, key: str, request: ModelRequest, output: type[BaseModel], attempts: Attempts
    ) -> Completion:
        def repeated() -> None:
            self.usage.count("retries")

        if self._batch:
            worst = self._worst_cost(request, _estimated_tokens(request))
            return self._checked(await self._batch.take(request, output, worst), request)
        completion = await retry(
            lambda: self.breaker.guard(key, lambda: self._call(request, output), repeated),
            attempts,
            on_retry=repeated,
            sleep=self._sleep,
        )
        return self._checked(completion, request)

    def _checked(self, completion: Completion, request: ModelRequest) -> Completion:
        # One of a few words is read from the start of the answer; the rest is not needed.
        check_finish_reason(completion, may_be_cut=bool(request.choices))
        return completion

    async def _call(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        if self._load:
            await self._load()  # a download may take longer than any answer
        expected = _estimated_tokens(request)
        async with (
            self.limiter.slot(expected) as started,
            self.usage.admitted(self.name, self._worst_cost(request, expected)),
        ):
            self.usage.count("calls")
            try:
                asked = time.monotonic()
                async with asyncio.timeout(self.config.timeout_s):
                    completion = await self.backend.complete(request, output)
                seconds, paid = (
                    time.monotonic() - asked,
                    priced(completion.usage, self.config.price),
                )
                completion = completion.model_copy(update={"seconds": seconds, "usage": paid})
            except TimeoutError as error:
                raise self._timeout() from error
            except ToolkitError as error:
                if error.kind == "rate_limited":
                    self.usage.count("rate_limited")
                    self.limiter.rate_limited(started, error.retry_after)
                raise
            used = completion.usage.prompt_tokens + completion.usage.completion_tokens
            self.limiter.succeeded(expected, used)
            if completion.limits:
                self.limiter.adopt(completion.limits)
            self.usage.charge(completion.usage, self.name)
        return completion

    def _worst_cost(self, request: ModelRequest, prompt_tokens: int) -> float:
        """US dollars, where the config has a price; else the first answer will tell."""
        price = self.config.price
        if price is None:
            return 0.0
        sent = prompt_tokens + len(request.images) * IMAGE_TOKENS
        return (sent * price.input + request.sampling.max_tokens * price.output) / 1e6

    def _timeout(self) -> ToolkitError:
        return ToolkitError(
            "timeout",
            f"{self.backend.identity} gave no answer in {self.config.timeout_s:g} s",
            "raise the backend's timeout_s or lower its max_parallel",
        )


def _estimated_tokens(request: ModelRequest) -> int:
    return sum(len(message.content) for message in request.messages) // 4
